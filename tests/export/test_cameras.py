import json
import math
from pathlib import Path

import pytest
import torch

from inv3d.core.camera import Camera
from inv3d.core.errors import InputError
from inv3d.core.generator import Render
from inv3d.core.views import Views
from inv3d.export.cameras import read_cameras, write_cameras
from inv3d.export.views import write_views


@pytest.fixture
def file(cameras: Camera, tmp_path: Path) -> Path:
    write_cameras(tmp_path / "transforms.json", cameras, 256, ["a.png", "b.png"])
    return tmp_path / "transforms.json"


def same(a: Camera, b: Camera) -> bool:
    return torch.allclose(a.cam2world, b.cam2world, atol=1e-5) and torch.allclose(a.intrinsics, b.intrinsics, atol=1e-5)


def test_transforms_are_read_as_they_were_written(cameras, file):
    assert same(read_cameras(file), cameras)


def test_transforms_are_those_of_opengl_in_pixels(file):
    content = json.loads(file.read_text())
    assert content["w"] == content["h"] == 256 and content["fl_x"] == pytest.approx(4.2647 * 256, rel=1e-4)
    assert content["cx"] == 128 and [frame["file_path"] for frame in content["frames"]] == ["a.png", "b.png"]
    pose = torch.tensor(content["frames"][0]["transform_matrix"])
    assert torch.allclose(pose[:3, 2] * 2.7, pose[:3, 3], atol=1e-4)  # z points back, away from the head
    assert pose[1, 1] > 0.9  # y points up


def test_what_nerfstudio_writes_besides_is_ignored(cameras, file):
    content = json.loads(file.read_text()) | {"k1": 0.0, "aabb_scale": 16, "ply_file_path": "x.ply"}
    content["frames"][0]["colmap_im_id"] = 3
    file.write_text(json.dumps(content))
    assert same(read_cameras(file), cameras)


def test_cameras_of_an_output_folder_are_read(cameras, tmp_path):
    images, maps = torch.zeros(2, 3, 64, 64), torch.ones(1, 1, 64, 64)
    targets = Views(images, cameras, (0, 1), (0.0, 0.1))
    write_views(tmp_path, targets, [Render(images[:1], images[:1], maps, maps)] * 2)
    assert same(read_cameras(tmp_path / "cameras.json"), cameras)


@pytest.mark.parametrize(
    "fault",
    [
        {"w": 300},
        {"fl_x": 0.0},
        {"fl_y": -5.0},
        {"cx": math.nan},
        {"frames": []},
        {
            "frames": [
                {"file_path": "a", "transform_matrix": [[2.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}
            ]
        },
        {
            "frames": [
                {"file_path": "a", "transform_matrix": [[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}
            ]
        },
        {
            "frames": [
                {"file_path": "a", "transform_matrix": [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 9, 1]]}
            ]
        },
        {"frames": [{"file_path": "a", "transform_matrix": [[1.0, 0, 0]]}]},
        {"frames": "all"},
    ],
    ids=str,
)
def test_cameras_that_cannot_be_rendered_are_refused(file, fault):
    file.write_text(json.dumps(json.loads(file.read_text()) | fault))
    with pytest.raises(InputError):
        read_cameras(file)
