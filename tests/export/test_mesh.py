import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from inv3d.core.errors import Inv3dError
from inv3d.core.head import Head
from inv3d.core.latents import LatentTrack
from inv3d.export import mesh as module
from inv3d.export.decimate import decimate
from inv3d.export.mesh import extract_mesh, write_mesh
from tests.export.surfaces import faults

COLOURED = (".glb", ".obj", ".ply")


@pytest.fixture(scope="module")
def mesh(head) -> trimesh.Trimesh:
    return extract_mesh(head, resolution=64, faces=6000)


@pytest.fixture
def greys() -> trimesh.Trimesh:
    """A surface whose vertices have every grey once."""
    ball = trimesh.creation.icosphere(3)
    levels = np.resize(np.arange(256), len(ball.vertices)).astype(np.uint8)
    colors = np.stack([levels, levels, levels, np.full_like(levels, 255)], 1)
    return trimesh.Trimesh(ball.vertices, ball.faces, vertex_colors=colors, process=False)


def gltf(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The JSON of a GLB and the arrays of its one primitive by name, read byte by byte."""
    data = path.read_bytes()
    magic, version, length, json_length, json_kind = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, length, json_kind) == (b"glTF", 2, len(data), b"JSON")
    tree = json.loads(data[20 : 20 + json_length])
    binary = data[20 + json_length + 8 :]
    ((primitive,),) = (part["primitives"] for part in tree["meshes"])
    arrays = {}
    for name, index in {**primitive["attributes"], "indices": primitive["indices"]}.items():
        accessor = tree["accessors"][index]
        view = tree["bufferViews"][accessor["bufferView"]]
        kind = {5126: np.float32, 5125: np.uint32}[accessor["componentType"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        arrays[name] = np.frombuffer(binary, kind, accessor["count"] * width, start).reshape(-1, width)
    return tree, arrays


def ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices, as rows with names, and faces of a binary PLY, by its header."""
    header, body = path.read_bytes().split(b"end_header\n", 1)
    lines = [line for line in header.decode().splitlines() if not line.startswith("comment")]
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    counts = {line.split()[1]: int(line.split()[2]) for line in lines if line.startswith("element")}
    kinds = {"float": "<f4", "uchar": "u1"}
    rows = [line.split()[1:] for line in lines if line.startswith("property") and "list" not in line]
    vertices = np.frombuffer(body, [(name, kinds[kind]) for kind, name in rows], counts["vertex"])
    assert "property list uchar int vertex_indices" in lines
    faces = np.frombuffer(body, [("corners", "u1"), ("vertices", "<i4", 3)], counts["face"], vertices.nbytes)
    assert (faces["corners"] == 3).all() and vertices.nbytes + faces.nbytes == len(body)
    return vertices, faces["vertices"]


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
    camera = head.camera(torch.zeros(1), torch.zeros(1))
    render = head.render(camera, 32)
    origins, directions = camera.rays(32)
    points = (origins + directions * render.depth.reshape(1, -1, 1))[0][render.alpha.reshape(-1) > 0.98].numpy()
    inner = points[np.abs(points[:, 0]) < 0.08]
    distance = np.min(np.linalg.norm(inner[:, None] - mesh.vertices[None], axis=-1), 1)
    assert np.median(distance) < 0.01


@pytest.mark.parametrize("seed", range(12))
def test_heads_are_one_closed_manifold_at_any_number_of_faces(demo, seed):
    z = torch.randn(1, demo.info.generator.z_dim, generator=torch.Generator().manual_seed(seed))
    codes = demo.generator.mapping(z, demo.info.front.vector())
    head = Head(demo.generator, LatentTrack(codes, torch.zeros(1)), demo, (-0.5, 0.5))
    every = extract_mesh(head, 40)
    for faces in (60_000, 5000, 900, 120, 30, 4):
        mesh = decimate(every, faces)
        assert 4 <= len(mesh.faces) <= faces
        assert faults(mesh.vertices, mesh.faces) == [] and mesh.volume > 0 and mesh.body_count == 1


def test_values_at_the_level_itself_make_no_flat_faces():
    field = np.random.default_rng(0).integers(-1, 2, (12, 12, 12)).astype(np.float32)
    points, triangles = module._isosurface(np.pad(field, 1, constant_values=-1))
    assert not {"faces without area", "vertices in the same place"} & set(faults(points, triangles))


@pytest.mark.parametrize("suffix", [".glb", ".GLB", ".obj", ".Ply", ".stl"])
def test_any_reader_finds_the_same_closed_surface(mesh, tmp_path, suffix):
    path = tmp_path / f"head{suffix}"
    write_mesh(mesh, path)
    again = trimesh.load(path, force="mesh")
    assert again.is_watertight and again.is_winding_consistent and len(again.faces) == len(mesh.faces)
    assert again.volume == pytest.approx(mesh.volume, rel=1e-4)


@pytest.mark.parametrize("suffix", COLOURED)
def test_trimesh_reads_the_colours_with_one_mesh_forced(greys, tmp_path, suffix):
    path = tmp_path / f"ball{suffix}"
    write_mesh(greys, path)
    colors = np.asarray(trimesh.load(path, force="mesh", process=False).visual.vertex_colors)
    grey = np.arange(256) / 255.0
    linear = np.where(grey <= 0.04045, grey / 12.92, ((grey + 0.055) / 1.055) ** 2.4)
    expected = np.resize((linear if suffix == ".glb" else grey) * 255, len(colors))
    assert np.abs(colors[:, :3] - expected[:, None]).max() <= 1 and (colors[:, 3] == 255).all()


def test_glb_keeps_every_level_of_srgb(greys, tmp_path):
    write_mesh(greys, tmp_path / "ball.glb")
    linear = gltf(tmp_path / "ball.glb")[1]["COLOR_0"].astype(np.float64)
    low = linear <= 0.0031308
    levels = np.where(low, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert np.abs(levels - np.asarray(greys.visual.vertex_colors)).max() < 1e-3
    assert len(np.unique(linear[:, 0])) == 256


def test_glb_is_upright_with_normals_and_no_material(mesh, tmp_path):
    write_mesh(mesh, tmp_path / "head.glb")
    tree, arrays = gltf(tmp_path / "head.glb")
    assert np.abs(arrays["POSITION"] - mesh.vertices).max() < 1e-6
    assert (arrays["indices"].reshape(-1, 3) == mesh.faces).all()
    assert np.abs(np.linalg.norm(arrays["NORMAL"], axis=1) - 1).max() < 1e-5
    assert np.einsum("ij,ij->i", arrays["NORMAL"], mesh.vertex_normals).min() > 0.99
    assert set(arrays) == {"POSITION", "NORMAL", "COLOR_0", "indices"} and "materials" not in tree
    assert all("matrix" not in node and "rotation" not in node for node in tree["nodes"])


def test_obj_is_upright_with_colours_after_the_positions(mesh, tmp_path):
    write_mesh(mesh, tmp_path / "head.obj")
    rows = [line.split() for line in (tmp_path / "head.obj").read_text().splitlines()]
    vertices = np.array([row[1:] for row in rows if row[:1] == ["v"]], float)
    assert vertices.shape == (len(mesh.vertices), 6)
    assert np.abs(vertices[:, :3] - mesh.vertices).max() < 1e-6
    assert np.abs(vertices[:, 3:] * 255 - np.asarray(mesh.visual.vertex_colors)[:, :3]).max() < 1e-3
    faces = [[int(corner.split("/")[0]) - 1 for corner in row[1:]] for row in rows if row[:1] == ["f"]]
    assert (np.array(faces) == mesh.faces).all()


def test_ply_stands_along_z_and_looks_along_negative_y(mesh, tmp_path):
    write_mesh(mesh, tmp_path / "head.ply")
    vertices, faces = ply(tmp_path / "head.ply")
    x, y, z = mesh.vertices.T
    for name, expected in {"x": x, "y": -z, "z": y}.items():
        assert np.abs(vertices[name] - expected).max() < 1e-6
    for channel, name in enumerate(("red", "green", "blue")):
        assert (vertices[name] == np.asarray(mesh.visual.vertex_colors)[:, channel]).all()
    assert (faces == mesh.faces).all()


def test_stl_is_binary_and_stands_along_z(mesh, tmp_path):
    write_mesh(mesh, tmp_path / "head.stl")
    data = (tmp_path / "head.stl").read_bytes()
    (count,) = struct.unpack_from("<I", data, 80)
    assert not data.startswith(b"solid") and count == len(mesh.faces) and len(data) == 84 + 50 * count
    facets = np.frombuffer(data, [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("more", "<u2")], count, 84)
    upright = facets["corners"] @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert np.abs(upright - mesh.triangles).max() < 1e-6
    sides = np.diff(facets["corners"], axis=1)
    assert np.einsum("ij,ij->i", np.cross(sides[:, 0], sides[:, 1]), facets["normal"]).min() > 0


@pytest.mark.parametrize("suffix", COLOURED)
@pytest.mark.parametrize("part", ["vertices", "colors", "faces"])
def test_a_file_that_holds_something_else_is_noticed(greys, tmp_path, monkeypatch, suffix, part):
    other = greys.copy()
    if part == "vertices":
        other.vertices[7] += 1e-4
    elif part == "colors":
        other.visual.vertex_colors[255, 2] -= 40
    else:
        other.update_faces(np.arange(len(other.faces)) > 0)
    write_glb, export = module._glb, trimesh.Trimesh.export
    monkeypatch.setattr(module, "_glb", lambda mesh: write_glb(other))
    turned = other.copy().apply_transform(module._TO_Z_UP) if suffix == ".ply" else other
    monkeypatch.setattr(trimesh.Trimesh, "export", lambda mesh, *args, **options: export(turned, *args, **options))
    with pytest.raises(Inv3dError, match="does not contain what was written"):
        write_mesh(greys, tmp_path / f"ball{suffix}")
