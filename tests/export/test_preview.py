from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inv3d.export.preview import MOST, Preview
from inv3d.video.decode import Frame
from inv3d.video.track import TrackedFrame


def tracked(count: int) -> list[TrackedFrame]:
    return [TrackedFrame(3 * i, i / 10, 160.0, 90.0, 100.0, 0.1, 0.1 * i - 0.4, 0.05, 0.9) for i in range(count)]


def name(index: int, time: float) -> str:
    return f"\x1b frame {index} of a long name that does not fit into a column"


def frames(count: int) -> Iterator[Frame]:
    for i in range(3 * count):
        yield Frame(i, i / 30, np.full((90, 160, 3), 100, np.uint8), (2.0, 2.0))


def crops(count: int, value: float) -> dict[int, torch.Tensor]:
    return {3 * i: torch.full((3, 32, 32), value) for i in range(count)}


def seen(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def test_frames_crops_and_renders_stand_in_columns(tmp_path):
    preview = Preview(tracked(4), name, "clip.mp4: a head", ("warning: the face is dark: turn it to a window",))
    assert [frame.index for frame in preview.watched(frames(4))] == list(range(12))  # all pass through
    preview.write(tmp_path / "preview.png", crops(4, 0.5))
    before = seen(tmp_path / "preview.png")
    preview.write(tmp_path / "preview.png", crops(4, 0.5), {"mattes": crops(4, 0.25), "renders": crops(3, -0.5)})
    after = seen(tmp_path / "preview.png")
    assert after.shape[1] == before.shape[1] and after.shape[0] > before.shape[0] + 2 * 176
    assert (after == 159).all(-1).sum() > 4 * 150 * 150
    assert (before == 191).all(-1).sum() > 4 * 150 * 150 and not (before == 64).all(-1).any()
    assert (after == 64).all(-1).sum() == pytest.approx(3 * 176 * 176, rel=0.02)  # one view was left out since
    assert (before == (64, 220, 120)).all(-1).sum() > 4 * 100  # the outlines of the crops
    assert list(tmp_path.iterdir()) == [tmp_path / "preview.png"]


def test_of_many_frames_some_are_shown(tmp_path):
    preview = Preview(tracked(30), name, "clip")
    assert len(preview.chosen) == MOST and {0, 87} <= set(preview.chosen)
    preview.write(tmp_path / "preview.png", crops(30, 0.0))
    assert seen(tmp_path / "preview.png").shape[1] < 1800


def test_names_are_escaped(tmp_path, monkeypatch):
    drawn: list[str] = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda draw, place, text, *rest: drawn.append(text))
    preview = Preview(tracked(1), lambda index, time: "a\x1b[2J", "caf\udce9 \x1b[31m", ("one\r\ntwo",))
    preview.write(tmp_path / "preview.png", crops(1, 0.0))
    words = "\n".join(drawn)
    assert all(each in words for each in (r"a\x1b[2J", r"caf\xe9 \x1b[31m", r"one\r\ntwo"))
    assert all(sign == "\n" or sign.isprintable() for sign in words)
