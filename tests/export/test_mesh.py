import numpy as np
import pytest
import torch
import trimesh

from inv3d.core.head import Head
from inv3d.core.latents import LatentTrack
from inv3d.export import mesh as module
from inv3d.export.decimate import decimate
from inv3d.export.mesh import coarser, extract_mesh, head_width, neck
from inv3d.export.texture import colors_of
from tests.export.surfaces import faults


@pytest.fixture(scope="module")
def mesh(head: Head) -> trimesh.Trimesh:
    return extract_mesh(head, resolution=64, triangles=6000)


def test_the_mesh_is_a_closed_upright_head(mesh):
    assert 3000 < len(mesh.faces) <= 6000
    low, high = mesh.bounds
    assert (low > -0.38).all() and (high < 0.38).all()
    assert 0.2 < high[0] - low[0] < 0.76 and high[1] > 0.15
    assert mesh.volume > 0.01  # faces outwards


def test_what_lies_below_the_pictures_is_cut_off(head, mesh):
    """In a plane that every picture of the head's axis shows."""
    info, low = head.bundle.info, mesh.vertices[:, 1].min()
    assert -0.5 * info.radius / info.focal < low < -0.45 * info.radius / info.focal
    assert (mesh.triangles[..., 1] == low).all(1).sum() > 20


def test_the_front_looks_along_positive_z(head, mesh):
    """The nose: at eye height the surface reaches further forward in the middle than at the sides."""
    vertices = mesh.vertices
    middle = vertices[(np.abs(vertices[:, 0]) < 0.02) & (np.abs(vertices[:, 1] + 0.05) < 0.03)]
    side = vertices[(np.abs(vertices[:, 0]) > 0.09) & (np.abs(vertices[:, 1] + 0.05) < 0.03)]
    assert middle[:, 2].max() > side[:, 2].max() + 0.02


def test_the_mesh_agrees_with_the_rendered_depth(head, mesh):
    camera = head.camera(torch.zeros(1), torch.zeros(1))
    render = head.render(camera, 32)
    origins, directions = camera.rays(32)
    points = (origins + directions * render.depth.reshape(1, -1, 1))[0][render.alpha.reshape(-1) > 0.98].numpy()
    inner = points[np.abs(points[:, 0]) < 0.08]
    distance = np.min(np.linalg.norm(inner[:, None] - mesh.vertices[None], axis=-1), 1)
    assert np.median(distance) < 0.01


def test_a_coarser_mesh_has_the_colours_of_its_own_places(head, mesh):
    coarse = coarser(head, mesh, 500)
    assert 250 < len(coarse.faces) <= 500 and coarse.is_watertight
    nearest = np.linalg.norm(coarse.vertices[:, None] - mesh.vertices[None], axis=-1).argmin(1)
    difference = np.abs(colors_of(coarse).astype(int) - colors_of(mesh)[nearest])
    assert np.median(difference) < 12


@pytest.mark.parametrize("seed", range(12))
def test_heads_are_closed_manifolds_at_any_number_of_faces(demo, seed):
    z = torch.randn(1, demo.info.generator.z_dim, generator=torch.Generator().manual_seed(seed))
    codes = demo.generator.mapping(z, demo.info.front.vector())
    head = Head(demo.generator, LatentTrack(codes, torch.zeros(1)), demo, (-0.5, 0.5))
    every = extract_mesh(head, 40, flat=seed % 2 == 1)
    for faces in (60_000, 5000, 900, 120, 30, 4):
        mesh = decimate(every, faces)
        assert 4 <= len(mesh.faces) <= faces
        assert faults(mesh.vertices, mesh.faces) == [] and mesh.volume > 0
        assert mesh.body_count <= 3  # long hair beside the neck can be a part of its own


def test_values_at_the_level_itself_make_no_flat_faces():
    field = np.random.default_rng(0).integers(-1, 2, (12, 12, 12)).astype(np.float32)
    points, triangles = module._isosurface(np.pad(field, 1, constant_values=-1))
    assert not {"faces without area", "vertices in the same place"} & set(faults(points, triangles))


def test_a_head_is_cut_where_its_neck_is_narrowest():
    inside = np.zeros((8, 16, 8), bool)
    inside[:, 1:3], inside[2:6, 3:6, 2:6], inside[3:5, 6:7, 3:5], inside[1:7, 7:14, 1:7] = True, True, True, True
    assert neck(inside) == 6
    inside[:, :7] = False  # no neck at all: enough for a stand is cut off
    assert neck(inside) == 7
    assert neck(np.ones((4, 40, 4), bool)) == 1


@pytest.mark.parametrize("triangles", [6000, 400])
def test_a_head_that_is_cut_flat_stands_on_one_plane(head, mesh, triangles):
    flat = extract_mesh(head, resolution=64, triangles=triangles, flat=True)
    assert faults(flat.vertices, flat.faces) == []
    low = flat.vertices[:, 1].min()
    assert low > mesh.vertices[:, 1].min()
    under = (flat.triangles[..., 1] == low).all(1)
    assert under.any()
    around = np.ptp(flat.triangles[under].reshape(-1, 3), axis=0)
    assert flat.area_faces[under].sum() > 0.4 * around[0] * around[2]
    assert (flat.face_normals[under][:, 1] < -0.99).all()


def test_the_width_of_a_head_does_not_count_its_shoulders():
    head, shoulders = trimesh.creation.box((0.3, 0.4, 0.3)), trimesh.creation.box((0.7, 0.1, 0.3))
    bust = head + shoulders.apply_translation([0, -0.25, 0])
    assert head_width(bust) == pytest.approx(0.3)
    assert head_width(bust.apply_translation([0, -1, 0])) == pytest.approx(0.7)


def test_tunnels_are_filled_and_the_rest_stays():
    """Of a ball with a narrow hole through it."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, 72)] * 3, indexing="ij")
    ball = 0.7 - np.sqrt(x**2 + y**2 + z**2)
    drilled = np.minimum(ball, np.hypot(x, y) - 0.035).astype(np.float32)
    filled = module._without_tunnels(drilled)
    assert drilled[36, 36, 36] < 0 < filled[36, 36, 36]
    assert (filled >= drilled).all() and (filled > 0).sum() < 1.01 * (ball > 0).sum()
