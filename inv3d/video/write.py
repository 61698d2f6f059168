"""Writers of moving pictures: mp4, WebM and GIF."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

MOVING = (".mp4", ".webm", ".gif")
CODECS = {"h264": "libx264", "h265": "libx265"}


def write_mp4(
    path: Path, images: Iterable[NDArray[np.uint8]], fps: int = 30, quality: int = 18, codec: str = "h264"
) -> None:
    """Write RGB images [H,W,3] (even sides) as H.264 or H.265 in yuv420p and BT.709, which players and browsers open.

    `quality` is x264's constant rate factor: lower is better, 18 is visually lossless.
    """
    # without B-frames: x265 gives those of very short videos times that mp4 cannot hold
    options = {"crf": str(quality), "preset": "medium"} | (
        {"x265-params": "log-level=error:bframes=0"} if codec == "h265" else {}
    )
    tag = "hvc1" if codec == "h265" else None  # without it Apple's players refuse H.265
    _write(path, images, fps, "mp4", CODECS[codec], "yuv420p", options, tag)


def write_webm(path: Path, images: Iterable[NDArray[np.uint8]], fps: int = 30) -> None:
    """Write RGBA images [H,W,4] (even sides) as VP9 with transparency, which browsers open."""
    options = {"crf": "20", "b": "0", "cpu-used": "4"}
    _write(path, images, fps, "webm", "libvpx-vp9", "yuva420p", options)


def _write(
    path: Path, images: Iterable[NDArray[np.uint8]], fps: int, container_format: str, codec: str, pixels: str,
    options: dict[str, str], tag: str | None = None,
) -> None:  # fmt: skip
    faststart = {"movflags": "faststart"} if container_format == "mp4" else {}
    # without the protocol, FFmpeg takes the text before a colon for one
    with av.open(f"file:{path}", "w", format=container_format, options=faststart) as container:
        stream = container.add_stream(codec, rate=Fraction(fps), options=options)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = pixels
        if tag is not None:
            stream.codec_context.codec_tag = tag
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.colorspace = Colorspace.ITU709
        stream.codec_context.color_primaries = stream.codec_context.color_trc = 1  # BT.709
        convert = VideoReformatter()
        for i, image in enumerate(images):
            if i == 0:
                stream.height, stream.width = image.shape[:2]
            frame = convert.reformat(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgba" if image.shape[2] == 4 else "rgb24"),
                format=pixels, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG,
            )  # fmt: skip
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_gif(path: Path, images: Iterable[NDArray[np.uint8]], fps: int = 30) -> None:
    """Write RGB images [H,W,3] as a GIF that repeats, with 256 colours per image and at most 50 images per second."""
    first, *others = (Image.fromarray(image).quantize(256, Image.Quantize.MEDIANCUT) for image in images)
    duration = max(round(100 / fps), 2) * 10
    first.save(path, format="GIF", save_all=True, append_images=others, duration=duration, loop=0, optimize=False)
