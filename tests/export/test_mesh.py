import json
import struct

import numpy as np
import pytest
import trimesh

from inv3d.export.mesh import extract_mesh, write_mesh


@pytest.fixture(scope="module")
def mesh(head) -> trimesh.Trimesh:
    return extract_mesh(head, resolution=64, faces=6000)


def test_the_mesh_is_a_closed_upright_head(mesh):
    assert 3000 < len(mesh.faces) <= 6000
    low, high = mesh.bounds
    assert (low > -0.38).all() and (high < 0.38).all()
    assert 0.2 < high[0] - low[0] < 0.76 and high[1] > 0.15
    assert mesh.volume > 0.01  # faces outwards


def test_the_front_looks_along_positive_z(head, mesh):
    """The nose: at eye height the surface reaches further forward in the middle than at the sides."""
    vertices = mesh.vertices
    middle = vertices[(np.abs(vertices[:, 0]) < 0.02) & (np.abs(vertices[:, 1] + 0.05) < 0.03)]
    side = vertices[(np.abs(vertices[:, 0]) > 0.09) & (np.abs(vertices[:, 1] + 0.05) < 0.03)]
    assert middle[:, 2].max() > side[:, 2].max() + 0.02


def test_the_mesh_agrees_with_the_rendered_depth(head, mesh):
    import torch

    camera = head.camera(torch.zeros(1), torch.zeros(1))
    render = head.render(camera, 32)
    origins, directions = camera.rays(32)
    points = (origins + directions * render.depth.reshape(1, -1, 1))[0][render.alpha.reshape(-1) > 0.98].numpy()
    inner = points[np.abs(points[:, 0]) < 0.08]
    distance = np.min(np.linalg.norm(inner[:, None] - mesh.vertices[None], axis=-1), 1)
    assert np.median(distance) < 0.01


@pytest.mark.parametrize("suffix", [".ply", ".obj"])
def test_files_open_again_with_colours(mesh, tmp_path, suffix):
    path = tmp_path / f"head{suffix}"
    write_mesh(mesh, path)
    again = trimesh.load(path, force="mesh", process=False)
    assert len(again.faces) == len(mesh.faces)
    assert np.asarray(again.visual.vertex_colors)[:, :3].std() > 5


def test_glb_asks_viewers_to_add_no_light(mesh, tmp_path):
    write_mesh(mesh, tmp_path / "head.glb")
    data = (tmp_path / "head.glb").read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    tree = json.loads(data[20 : 20 + length])
    assert "KHR_materials_unlit" in tree["extensionsUsed"]
    primitive = tree["meshes"][0]["primitives"][0]
    assert primitive["material"] == 0
    assert tree["accessors"][primitive["attributes"]["COLOR_0"]]["count"] == len(mesh.vertices)
