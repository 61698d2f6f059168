import numpy as np
import pytest
import torch
import trimesh
from numpy.typing import NDArray

from inv3d.core.camera import Camera, look_at
from inv3d.core.errors import Inv3dError
from inv3d.export import splats as module
from inv3d.export.splats import Splats, fit_colors, picture, splats_of, visible, write_splats
from inv3d.export.texture import Shot
from tests.export.textures import ball

Triple = tuple[float, float, float]
NAMES = [
    "x",
    "y",
    "z",
    "nx",
    "ny",
    "nz",
    "f_dc_0",
    "f_dc_1",
    "f_dc_2",
    "opacity",
    "scale_0",
    "scale_1",
    "scale_2",
    "rot_0",
    "rot_1",
    "rot_2",
    "rot_3",
]


def camera(yaw: float = 0.0, pitch: float = 0.0) -> Camera:
    return look_at(torch.tensor([yaw]).deg2rad(), torch.tensor([pitch]).deg2rad())


def one(
    center: Triple = (0.0, 0.0, 0.0), scales: Triple = (0.02, 0.02, 0.02), opacity: float = 0.9,
    axes: NDArray[np.float64] | None = None, color: Triple = (1.0, 0.5, 0.0),
) -> Splats:  # fmt: skip
    axes = np.eye(3) if axes is None else axes
    return Splats(*(np.array([value], float) for value in (center, axes, scales, color, opacity)))


def together(*splats: Splats) -> Splats:
    return Splats(*(np.concatenate([getattr(s, name) for s in splats]) for name in Splats.__dataclass_fields__))


def test_a_splat_lies_in_its_triangle_and_is_thin():
    mesh = ball(2)
    splats = splats_of(mesh)
    assert len(splats) == len(mesh.faces)
    assert np.abs(np.linalg.det(splats.axes) - 1).max() < 1e-9
    across = np.abs(np.einsum("ni,ni->n", splats.axes[..., 0], mesh.face_normals))
    assert across.min() > 0.999 and (splats.scales[:, 0] < 0.2 * splats.scales[:, 1]).all()
    sizes = splats.scales[:, 1] * splats.scales[:, 2] / mesh.area_faces
    assert sizes == pytest.approx(np.full(len(sizes), module._SPREAD**2 / (6 * 3**0.5)), rel=1e-6)


@pytest.mark.parametrize("yaw", [0.0, 50.0])
def test_a_splat_is_seen_as_the_density_of_its_points(yaw):
    """A splat's footprint has the mean and the spread of its points in the picture."""
    axes = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3])[:3, :3]
    splat = one((0.05, -0.03, 0.02), (0.01, 0.02, 0.03), 0.5, axes)
    weights = visible(splat, camera(yaw, 20.0), 128).toarray().reshape(128, 128)
    points = np.random.default_rng(0).standard_normal((200_000, 3)) * splat.scales @ axes.T + splat.centers
    seen = camera(yaw, 20.0).project(torch.tensor(points, dtype=torch.float32)[None])[0][0].double().numpy() * 128
    places = np.stack(np.meshgrid(np.arange(128), np.arange(128)), 2).reshape(-1, 2) + 0.5
    share = weights.reshape(-1, 1) / weights.sum()
    mean = (share * places).sum(0)
    spread = (share * (places - mean)).T @ (places - mean)
    assert mean == pytest.approx(seen.mean(0), abs=0.1)
    assert spread - module._DILATION * np.eye(2) == pytest.approx(np.cov(seen.T), rel=0.05, abs=0.15)


def test_the_nearer_splat_hides_the_one_behind():
    near, far = one((0, 0, 0.2), opacity=0.9), one((0, 0, -0.2), opacity=0.6)
    for pair, first in ((together(near, far), 0), (together(far, near), 1)):
        weights = visible(pair, camera(), 65).toarray()[32 * 65 + 32]
        assert weights[first] == pytest.approx(0.9, abs=0.02) and weights[1 - first] == pytest.approx(0.06, abs=0.02)


def test_what_lies_beside_the_picture_is_not_seen():
    assert visible(one((5, 0, 0)), camera(), 32).nnz == 0


def test_splats_cover_their_surface():
    colors, covered = picture(splats_of(ball(4)), camera(), 64)
    radius = 0.2 * 4.2647 / 2.7 * 64
    assert covered.sum() == pytest.approx(np.pi * radius**2, rel=0.12)
    assert colors[32, 44, 0] > colors[32, 20, 0] + 0.1 and colors[20, 32, 1] > colors[44, 32, 1] + 0.1


def test_colours_are_fitted_to_pictures_where_these_can_be_trusted():
    splats = splats_of(ball(3))
    stripes = np.full((64, 64, 3), 0.2, np.float32)
    stripes[:, 26:38] = 0.9
    trust = np.ones((32, 32), np.float32)
    trust[16:] = 0.0
    fitted = fit_colors(splats, [Shot(stripes, camera(), trust)])
    colors, _ = picture(fitted, camera(), 64)
    assert np.abs(colors - stripes)[22:30, 24:40].mean() < 0.05
    assert np.abs(fitted.colors - splats.colors)[splats.centers[:, 1] < -0.05].max() < 1e-9
    assert fitted.colors.min() >= 0 and fitted.colors.max() <= 1


def test_the_file_has_the_standard_fields_and_nothing_else(tmp_path):
    axes = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3])[:3, :3]
    splats = together(one((0.1, 0.2, 0.3), (0.01, 0.02, 0.03), 0.8, axes, (1.0, 0.5, 0.25)), one())
    write_splats(splats, tmp_path / "head.ply")
    header, body = (tmp_path / "head.ply").read_bytes().split(b"end_header\n", 1)
    lines = header.decode().splitlines()
    assert lines[:3] == ["ply", "format binary_little_endian 1.0", "element vertex 2"]
    assert lines[3:] == [f"property float {name}" for name in NAMES]
    row = dict(zip(NAMES, np.frombuffer(body, "<f4").reshape(2, 17)[0], strict=True))
    assert [row[name] for name in "xyz"] == pytest.approx([0.1, -0.2, -0.3])  # y down, z forward
    assert 0.5 + 0.28209479 * np.array([row[f"f_dc_{i}"] for i in range(3)]) == pytest.approx([1.0, 0.5, 0.25])
    assert 1 / (1 + np.exp(-row["opacity"])) == pytest.approx(0.8)
    assert np.exp([row[f"scale_{i}"] for i in range(3)]) == pytest.approx([0.01, 0.02, 0.03])
    turned = trimesh.transformations.quaternion_matrix([row[f"rot_{i}"] for i in range(4)])[:3, :3]
    assert turned == pytest.approx(np.diag([1, -1, -1]) @ axes, abs=1e-6)


def test_a_file_that_holds_something_else_is_noticed(tmp_path, monkeypatch):
    whole = module._ply
    monkeypatch.setattr(module, "_ply", lambda splats: whole(splats.scaled(1.1)))
    with pytest.raises(Inv3dError, match="does not contain what was written"):
        write_splats(one((0.1, 0.2, 0.3)), tmp_path / "head.ply")
    assert list(tmp_path.iterdir()) == []


def test_scaled_splats_look_the_same_from_as_many_times_the_distance():
    splats = splats_of(ball(2))
    far = Camera(camera().cam2world.clone(), camera().intrinsics)
    far.cam2world[:, :3, 3] *= 2
    assert picture(splats.scaled(2.0), far, 32)[0] == pytest.approx(picture(splats, camera(), 32)[0], abs=1e-4)
