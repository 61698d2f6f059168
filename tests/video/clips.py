"""Small clips of every kind, made with PyAV; what it cannot write is patched into the file."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from inv3d.video.cropping import elements

Images = Sequence[NDArray[np.uint8]]


def corner_image(i: int = 0, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """White in the top left corner, grey elsewhere, brightness rising with i."""
    image = np.full((height, width, 3), 60 + 10 * i, np.uint8)
    image[:16, :16] = 255
    return image


def rising(count: int, height: int = 48, width: int = 64) -> list[NDArray[np.uint8]]:
    """Frames that tell their number by their brightness."""
    return [np.full((height, width, 3), 40 + 4 * i, np.uint8) for i in range(count)]


def numbers(images: Iterable[NDArray[np.uint8]]) -> list[int]:
    """Which of the `rising` frames these are."""
    return [round((float(image.mean()) - 40) / 4) for image in images]


def encode(
    path: Path,
    images: Images,
    pix_fmt: str = "yuv420p",
    codec: str = "libx264",
    *,
    rate: int = 10,
    times: Sequence[float] | None = None,
    color_range: int | None = None,
    matrix: int | None = None,
    transfer: int | None = None,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    source: str = "rgb24",
    told: bool = True,
    prepare: Callable[[av.VideoFrame], None] = lambda frame: None,
) -> Path:
    """Write `images`, of PyAV's format `source`, through `codec`; `matrix`, `transfer` are of ITU-T H.273; unless `told`, the file says nothing of
    the matrix."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {"crf": "4"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        if times is not None:
            context.time_base = stream.time_base = Fraction(1, 1000)
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if color_range is not None:
            context.color_range = color_range
        if matrix is not None and told:
            context.colorspace = matrix
        if transfer is not None:
            context.color_trc = transfer
        for i, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format=source)
            if frame.format.name != pix_fmt:
                frame = frame.reformat(
                    format=pix_fmt, dst_colorspace=matrix, src_color_range=2, dst_color_range=color_range or 1
                )
            frame.color_range = color_range or 1
            frame.colorspace = matrix if matrix is not None and told else 2
            if times is not None:
                frame.pts, frame.time_base = round(times[i] * 1000), Fraction(1, 1000)
            prepare(frame)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remux(source: Path, target: Path, keep: Callable[[int, float], bool] = lambda index, time: True, shift: float = 0.0) -> Path:
    """Copy packets without encoding again: those that `keep` (number in the file, time), `shift` seconds later."""
    with av.open(str(source)) as old, av.open(str(target), "w", options={"avoid_negative_ts": "disabled"}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for index, packet in enumerate(old.demux(video=0)):
            if not packet.size:  # the last one, which flushes the decoder
                continue
            assert packet.pts is not None and packet.dts is not None
            if keep(index, float(packet.pts * packet.time_base)):
                ticks = round(shift / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + ticks, packet.dts + ticks, stream
                new.mux(packet)
    return target


def set_matrix(path: Path, *matrix: int) -> None:
    """Set the display matrix of the first track (a, b, u, c, d, v, x, y, w)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)


def add_clean_aperture(path: Path, width: int, height: int, right: int, down: int) -> None:
    """Show only width x height pixels of an mp4, their centre moved by `right` and `down` pixels from the middle."""
    data = path.read_bytes()
    box = struct.pack(">I4s8i", 40, b"clap", width, 1, height, 1, right, 1, down, 1)
    at = data.index(b"avc1", data.index(b"stsd")) - 4
    at += struct.unpack(">I", data[at : at + 4])[0]
    grown = bytearray(data[:at] + box + data[at:])
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        start = data.index(kind, data.index(b"moov")) - 4
        struct.pack_into(">I", grown, start, struct.unpack_from(">I", data, start)[0] + len(box))
    path.write_bytes(grown)


def add_pixel_crop(path: Path, left: int, top: int, right: int, bottom: int) -> None:
    """Give the track of a Matroska file PixelCrop elements."""
    sides = {0x54CC: left, 0x54BB: top, 0x54DD: right, 0x54AA: bottom}
    crops = b"".join(struct.pack(">HBB", name, 0x81, value) for name, value in sides.items())

    def rebuilt(data: bytes, *path: int) -> bytes:
        if not path:
            return data + crops
        parts = []
        for name, content in elements(data):
            if name == path[0]:
                content = rebuilt(content, *path[1:])
            # the seek head would point to places that have moved
            name = 0xEC if name == 0x114D9B74 else name
            parts.append(name.to_bytes((name.bit_length() + 7) // 8, "big") + b"\x01" + len(content).to_bytes(7, "big") + content)
        return b"".join(parts)

    path.write_bytes(rebuilt(path.read_bytes(), 0x18538067, 0x1654AE6B, 0xAE, 0xE0))
