"""`preview.png`: what a run has understood of its input, to look at before minutes are spent on the fit.

A column for each chosen frame, from above: the frame with the crop that was found in it, the crop with its pose, and,
once the first code has been found, the head without the room, and the render from the same side.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.files import write_whole
from inv3d.core.printable import printable
from inv3d.core.views import to_array
from inv3d.export.pictures import evenly
from inv3d.video.decode import Frame
from inv3d.video.track import TrackedFrame

MOST = 9
"""Columns; of more frames, some that are evenly spaced are shown."""
_SIDE, _GAP, _LINE, _LETTER = 176, 6, 18, 7  # pixels
_PAPER, _INK, _FAINT, _CROP = (255, 255, 255), (29, 35, 42), (90, 102, 114), (64, 220, 120)


class Preview:
    """Collects what is to be shown of the chosen frames while they are cut, and writes the picture."""

    def __init__(
        self, chosen: Sequence[TrackedFrame], name: Callable[[int, float], str], title: str, notes: Sequence[str] = ()
    ) -> None:
        self.chosen = {chosen[row].index: chosen[row] for row in evenly(len(chosen), MOST)}
        self.name, self.title, self.notes = name, title, notes
        self._frames: dict[int, Image.Image] = {}

    def watched(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames; a thumbnail of each chosen one is kept."""
        for frame in frames:
            if frame.index in self.chosen:
                self._frames[frame.index] = _thumbnail(frame, self.chosen[frame.index])
            yield frame

    def write(self, path: Path, crops: dict[int, Tensor], later: Mapping[str, dict[int, Tensor]] | None = None) -> None:
        """Write the PNG; `crops` and `later` rows of pictures by what they show, [3,R,R] in [-1,1] by the frames' indices.
        Raises OSError."""
        later = later or {}
        rows = (crops, *later.values())
        tallest = max((frame.height for frame in self._frames.values()), default=_SIDE)
        heights = (tallest, *[_SIDE] * len(rows))
        width = _GAP + max(3, len(self.chosen)) * (_SIDE + _GAP)
        legend = [f"Below the frames: {'; '.join(('their crops', *later))}."] if later else []
        above, below = self._lines(width, self.title), self._lines(width, *legend, *self.notes)
        top = _LINE * len(above) + 2 * _GAP
        bottom = top + sum(heights) + len(heights) * _GAP
        height = bottom + _LINE * (2 + len(below)) + 3 * _GAP
        sheet = Image.new("RGB", (width, height), _PAPER)
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
        draw.text((_GAP, _GAP), "\n".join(above), _INK, font)
        for column, (index, tracked) in enumerate(self.chosen.items()):
            x, y = _GAP + column * (_SIDE + _GAP), top
            pictures = [self._frames.get(index), *(_square(row[index]) if index in row else None for row in rows)]
            for picture, room in zip(pictures, heights, strict=True):
                if picture is not None:
                    sheet.paste(picture, (x + (_SIDE - picture.width) // 2, y + room - picture.height))
                y += room + _GAP
            yaw, pitch = (f"{round(math.degrees(angle))}°" for angle in (tracked.yaw, tracked.pitch))
            name = textwrap.shorten(printable(self.name(index, tracked.time)), _SIDE // _LETTER, placeholder="...")
            draw.text((x, y), f"{name}\nyaw {yaw}, pitch {pitch}", _FAINT, font)
        draw.text((_GAP, bottom + 2 * _LINE + _GAP), "\n".join(below), _INK, font)
        buffer = io.BytesIO()
        sheet.save(buffer, "PNG")
        with write_whole(path, replace=True) as part:
            part.write_bytes(buffer.getvalue())

    @staticmethod
    def _lines(width: int, *texts: str) -> list[str]:
        """Texts broken into lines that fit into so many pixels."""
        return [line for text in texts for line in textwrap.wrap(printable(text), width // _LETTER)]


def _square(image: Tensor) -> Image.Image:
    small = F.interpolate(image[None].cpu(), (_SIDE, _SIDE), mode="bilinear", antialias=True, align_corners=False)
    return Image.fromarray(to_array(small[0]))


def _thumbnail(frame: Frame, tracked: TrackedFrame) -> Image.Image:
    """The frame at `_SIDE` pixels, with the outline of the crop."""
    height, width = frame.image.shape[:2]
    shrink = _SIDE / max(height, width)
    small = Image.fromarray(np.ascontiguousarray(frame.image)).resize(
        (max(1, round(width * shrink)), max(1, round(height * shrink))), Image.Resampling.BOX, reducing_gap=2.0
    )
    corners = _outline(tracked, frame.scale) * shrink
    ImageDraw.Draw(small).polygon([tuple(corner) for corner in corners.tolist()], outline=_CROP, width=2)
    return small


def _outline(tracked: TrackedFrame, scale: tuple[float, float]) -> NDArray[np.float64]:
    """Corners [4,2] of the crop in pixels of the frame."""
    crops = tracked.crops(scale)
    cos, sin, half = math.cos(tracked.roll), math.sin(tracked.roll), float(crops.size) / 2
    turn = torch.tensor([[cos, sin], [-sin, cos]])
    corners = torch.tensor([[-half, -half], [half, -half], [half, half], [-half, half]]) @ turn
    result: NDArray[np.float64] = (corners + crops.center).double().numpy()
    return result
