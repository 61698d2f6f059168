"""Damaged clips: what `inv3d video` decodes. Heads are not looked for."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import av
import numpy as np

from fuzzing.damage import Random, damaged_bytes
from inv3d.video.decode import frames, probe

_CODECS = (
    ("mp4", "libx264", "yuv420p"), ("mp4", "libx265", "yuv420p10le"), ("mov", "prores_ks", "yuva444p10le"),
    ("mov", "qtrle", "argb"), ("mkv", "libx264", "yuv444p"), ("mkv", "ffv1", "yuv422p"), ("webm", "libvpx", "yuva420p"),
    ("webm", "libvpx-vp9", "yuv420p"), ("mkv", "libsvtav1", "yuv420p10le"), ("ts", "libx264", "yuv420p"),
    ("ts", "mpeg2video", "yuv420p"), ("mpg", "mpeg2video", "yuv420p"), ("avi", "mpeg4", "yuv420p"),
    ("avi", "mjpeg", "yuvj420p"), ("avi", "rawvideo", "bgr24"), ("flv", "flv", "yuv420p"), ("wmv", "wmv2", "yuv420p"),
    ("mxf", "mpeg2video", "yuv420p"), ("gif", "gif", "rgb8"), ("apng", "apng", "rgba"), ("rm", "rv20", "yuv420p"),
    ("nut", "utvideo", "gbrp"), ("ivf", "libvpx-vp9", "yuv420p"), ("h264", "libx264", "yuv420p"),
    ("y4m", "wrapped_avframe", "yuv420p"), ("3gp", "h263", "yuv420p"), ("obu", "libsvtav1", "yuv420p"),
)  # fmt: skip
_TURNED = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)


class Kind:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.environ["SVT_LOG"] = "1"  # errors only
        self.sound = [self._clip(i, *codec) for i, codec in enumerate(_CODECS)]

    def _clip(self, i: int, ending: str, codec: str, pixels: str) -> tuple[str, bytes]:
        """A file of a few small frames; interlaced, in HDR or with oblong pixels in turn."""
        path = self.folder / f"sound-{i}.{ending}"
        width, height = (176, 144) if codec in ("h263", "rv20") else (96, 64)
        random = np.random.default_rng(i)
        base = random.integers(0, 256, (height // 8, width // 8, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        with av.open(str(path), "w") as container:
            options = {"strict": "-1", "g": "4"} | ({"x264-params": "tff=1"} if codec == "libx264" and i % 2 else {})
            options |= {"x265-params": "log-level=none"} if codec == "libx265" else {}
            options |= {"auto-alt-ref": "0"} if codec == "libvpx" else {}
            stream = container.add_stream(codec, rate=25, options=options)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            if codec == "libx265":
                stream.codec_context.color_trc, stream.codec_context.colorspace = 18, 9
            for step in range(8):
                frame = av.VideoFrame.from_ndarray(np.roll(base, 3 * step, 1)).reformat(format=pixels)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        data = bytearray(path.read_bytes())
        if ending in ("mp4", "mov"):
            struct.pack_into(">9i", data, data.index(b"tkhd") + 44, *_TURNED)
        return ending, bytes(data)

    def make(self, random: Random) -> Path:
        ending, data = self.sound[int(random.integers(len(self.sound)))]
        made = self.folder / f"clip.{ending}"
        made.write_bytes(damaged_bytes(random, data) if random.random() < 0.5 else _scratched(random, data))
        return made

    def read(self, path: Path) -> None:
        probe(path)
        for _ in frames(path, short_side=48):
            pass


def _scratched(random: Random, data: bytes) -> bytes:
    """A few bytes changed anywhere, so that most of the clip is still read."""
    raw = np.frombuffer(data, np.uint8).copy()
    places = random.integers(len(raw), size=int(random.integers(1, 12)))
    raw[places] = random.integers(256, size=len(places))
    return raw.tobytes()
