from pathlib import Path

import numpy as np
import pytest
import torch

from inv3d.core.camera import Camera
from inv3d.core.errors import InputError
from inv3d.export.colmap import read_sparse, write_sparse


@pytest.fixture
def folder(cameras: Camera, tmp_path: Path) -> Path:
    write_sparse(tmp_path / "sparse", cameras, 256, ["a b.png", "c.png"])
    return tmp_path / "sparse"


def test_cameras_are_read_as_they_were_written(cameras, folder):
    read = read_sparse(folder / "images.txt")
    assert torch.allclose(read.cam2world, cameras.cam2world, atol=1e-5)
    assert torch.allclose(read.intrinsics, cameras.intrinsics, atol=1e-5)
    assert sorted(path.name for path in folder.iterdir()) == ["cameras.txt", "images.txt", "points3D.txt"]


def test_a_point_is_projected_as_colmap_projects_it(cameras, folder):
    """By hand: the quaternion turns the point, the translation moves it, the lens scales it."""
    line = next(line for line in (folder / "images.txt").read_text().splitlines() if line.endswith("c.png"))
    w, x, y, z, *t = map(float, line.split()[1:8])
    point, axis = np.array([0.1, 0.05, 0.02]), np.array([x, y, z])
    turned = point + 2 * np.cross(axis, np.cross(axis, point) + w * point) + t
    fx, fy, cx, cy = map(float, (folder / "cameras.txt").read_text().splitlines()[1].split()[4:])
    ours = cameras.intrinsics[1].double().numpy() @ (np.linalg.inv(cameras.cam2world[1].double().numpy()) @ [*point, 1])[:3]
    assert [fx * turned[0] / turned[2] + cx, fy * turned[1] / turned[2] + cy] == pytest.approx(
        (256 * ours[:2] / ours[2]).tolist(), abs=1e-2
    )


def test_what_colmap_writes_itself_is_read(tmp_path):
    """Points of the pictures, pictures in any order, one focal length, blank lines at the end."""
    (tmp_path / "cameras.txt").write_text("# list\n7 SIMPLE_PINHOLE 100 100 426.5 50 50\n")
    (tmp_path / "images.txt").write_text(
        "# list\n4 1 0 0 0 0 0 3 7 z.png\n10.5 20.5 -1 30 40 12\n9 2 0 0 0 0.5 0 2 7 a.png\n\n\n"
    )
    read = read_sparse(tmp_path / "images.txt")
    assert read.cam2world[:, :3, 3].tolist() == [[-0.5, 0.0, -2.0], [0.0, 0.0, -3.0]]
    assert read.intrinsics[0].diagonal().tolist() == pytest.approx([4.265, 4.265, 1.0])


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("cameras.txt", "PINHOLE", "OPENCV", "its lens is 'OPENCV'"),
        ("cameras.txt", "256 256", "256 144", "256 x 144"),
        ("cameras.txt", "PINHOLE 256 256", "PINHOLE 256", "too few fields"),
        ("cameras.txt", "PINHOLE 256 256", "PINHOLE 256 x", "line 2: height"),
        ("cameras.txt", "1 PINHOLE", "2 PINHOLE", "belongs to camera 1"),
        ("images.txt", " 1 c.png", "", "too few fields"),
        ("images.txt", "2 0 ", "2 nan ", "qw"),
    ],
)
def test_what_cannot_be_used_is_named(folder, file, old, new, words):
    text = (folder / file).read_text()
    assert old in text
    lines = [line if line.startswith("#") else line.replace(old, new) for line in text.splitlines()]
    (folder / file).write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=words):
        read_sparse(folder / "images.txt")


def test_a_quaternion_of_zeros_and_missing_files_are_named(folder):
    (folder / "images.txt").write_text("1 0 0 0 0 0 0 1 1 a.png\n")
    with pytest.raises(InputError, match="quaternion of zeros"):
        read_sparse(folder / "images.txt")
    (folder / "images.txt").write_text("# nothing\n")
    with pytest.raises(InputError, match="contains no cameras"):
        read_sparse(folder / "images.txt")
    (folder / "cameras.txt").unlink()
    with pytest.raises(InputError, match=r"cameras\.txt is missing"):
        read_sparse(folder / "images.txt")
