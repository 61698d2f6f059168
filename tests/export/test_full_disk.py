"""Every kind of file on a disk that takes only its beginning: what was there before stays, and nothing else."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from inv3d.core.errors import UsageError
from inv3d.core.files import disk_errors, write_whole
from inv3d.export.formats import write_textured
from inv3d.export.pictures import save_png
from inv3d.video.write import write_mp4
from tests.export.textures import ball, textured_ball, write_plain
from tests.trees import tree

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")


def picture(path: Path) -> None:
    save_png(path, torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1)


def textured(path: Path, forced: bool = False) -> None:
    write_textured(textured_ball(), path, forced)


def plain(path: Path, forced: bool = False) -> None:
    write_plain(ball(), path, forced)


def video(path: Path) -> None:
    random = np.random.default_rng(0)
    write_mp4(path, [random.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(4)], 10)


@pytest.fixture
def small_disk() -> Iterator[Callable[[], None]]:
    """From its call on, files end after 4,000 bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.png", picture),
        ("a.glb", textured),
        ("a.obj", textured),
        ("a.ply", plain),
        ("a.stl", plain),
        ("a.mp4", video),
    ],
)
@pytest.mark.parametrize("forced", [True, False])
def test_a_cut_file_never_stays(tmp_path, small_disk, name, write, forced):
    if forced:
        (tmp_path / name).write_bytes(b"old")
    before = tree(tmp_path)
    small_disk()
    with pytest.raises(UsageError, match="cannot be written"), disk_errors(tmp_path / name):
        if write in (textured, plain):
            write(tmp_path / name, forced)
        else:
            with write_whole(tmp_path / name, replace=forced) as part:
                write(part)
    assert tree(tmp_path) == before
