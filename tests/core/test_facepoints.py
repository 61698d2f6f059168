import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core import facepoints
from inv3d.core.bundle import _face
from inv3d.core.camera import look_at
from inv3d.core.crops import Crops
from inv3d.core.errors import ModelError
from inv3d.core.facepoints import around, clear_face, in_image, mean_face, mesh_in, save_points, triangulated
from inv3d.core.networks.photographic import face_mesh


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100), st.floats(0.0, 0.1))
def test_points_are_where_cameras_see_them(seed, noise):
    """However wrong a few of the cameras are."""
    random = torch.Generator().manual_seed(seed)
    points = 0.3 * torch.rand(20, 3, generator=random) - 0.15
    angles = torch.rand(12, 2, generator=random) - 0.5
    cameras = look_at(angles[:, 0], 0.5 * angles[:, 1])
    seen = cameras.project(points.expand(12, -1, -1))[0] - 0.5
    assert torch.allclose(triangulated(cameras, seen), points, atol=1e-3)
    seen[:2] += noise
    assert (triangulated(cameras, seen) - points).abs().mean() < 0.25 * noise + 1e-3


def test_the_mean_face_is_as_wide_to_the_left_as_to_the_right_and_upright(demo):
    face = demo.face
    assert float(face[:, 0].amax() + face[:, 0].amin()) == pytest.approx(0.0, abs=0.01)
    assert float(face[10, 2]) == pytest.approx(float(face[152, 2]), abs=1e-3)
    assert int(face[:, 2].argmax()) in (1, 4)  # the tip of the nose


def test_crops_around_a_face_level_its_eyes(demo):
    where = demo.info.front.project(demo.face[None])[0]
    flat = torch.cat([where, torch.zeros(1, len(demo.face), 1)], -1)
    level, rolled = (
        around(in_image(Crops(torch.tensor([[100.0, 150.0]]), torch.tensor([300.0]), torch.tensor([roll])), flat)) for roll in (0.0, 0.5)
    )
    assert float(rolled.roll) == pytest.approx(0.5, abs=0.02)
    assert float(rolled.size) == pytest.approx(float(level.size), rel=0.02)


def test_a_models_mean_face_is_measured_on_its_own_renders(demo):
    """It is nearly that of the drawn people whom the model has learned, but for their chins."""
    found = mean_face(demo.generator, demo.info.camera, 6)
    assert found is not None
    _, height, depth = found[10] - found[152]
    angle = torch.atan2(depth, height)
    assert math.degrees(float(angle)) == pytest.approx(9, abs=6)
    cos, sin = angle.cos(), angle.sin()
    upright = torch.stack([found[:, 0], cos * found[:, 1] + sin * found[:, 2], cos * found[:, 2] - sin * found[:, 1]], 1)
    assert float((upright - demo.face).norm(dim=1).median()) < 0.02


def test_a_model_without_faces_has_no_mean_face(demo, monkeypatch):
    monkeypatch.setattr(facepoints, "clear_face", lambda picture: None)
    assert mean_face(demo.generator, demo.info.camera, 1) is None


def test_there_is_no_face_in_a_plain_picture():
    assert clear_face(torch.zeros(3, 200, 200)) is None
    start = Crops(torch.tensor([[100.0, 100.0]]), torch.tensor([150.0]), torch.zeros(1))
    assert float(mesh_in(torch.zeros(3, 200, 200), start)[1]) < 0
    assert not face_mesh(torch.device("cpu")).training


def test_a_damaged_face_is_named(demo, tmp_path):
    save_points(tmp_path, demo.face)
    saved = _face(tmp_path / facepoints.FILE, "cpu")
    assert saved is not None and torch.equal(saved, demo.face.cpu())
    (tmp_path / facepoints.FILE).write_bytes(b"no")
    with pytest.raises(ModelError, match=r"face\.safetensors cannot be loaded"):
        _face(tmp_path / facepoints.FILE, "cpu")
