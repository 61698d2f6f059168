import io
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from inv3d.core.errors import Inv3dError, UsageError
from inv3d.export import formats as module
from inv3d.export.formats import companions, level_paths, write_textured
from inv3d.export.textured import TexturedMesh
from inv3d.export.unwrap import Unwrapped
from tests.export.test_glb import read
from tests.export.textures import ball, textured_ball, write_plain
from tests.trees import tree


@pytest.fixture(scope="module")
def textured() -> TexturedMesh:
    return textured_ball()


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


@pytest.mark.parametrize("name", ["head.glb", "head.GLB", "head.obj", "he ad ü.Obj"])
def test_trimesh_finds_the_surface_and_its_texture(textured, tmp_path, name):
    path = tmp_path / name
    write_textured(textured, path)
    again = trimesh.load_mesh(path)
    again.merge_vertices(merge_tex=True, merge_norm=True)
    assert again.is_watertight and again.volume == pytest.approx(textured.mesh.volume, rel=1e-4)
    write_textured(textured, path, replace=True)
    read = trimesh.load_mesh(path, process=False)
    assert isinstance(read.visual, trimesh.visual.TextureVisuals)
    image = getattr(read.visual.material, "baseColorTexture", None) or read.visual.material.image
    difference = np.abs(np.asarray(image).astype(int) - textured.texture)
    assert difference.mean() < 2 and np.quantile(difference, 0.99) < 12
    uv = textured.unwrapped.uv[textured.unwrapped.triangles]
    assert np.abs(read.visual.uv[read.faces] - uv).max() < 1e-5


def test_glb_is_upright_with_smooth_normals(textured, tmp_path):
    write_textured(textured, tmp_path / "head.glb")
    _, arrays, picture = read((tmp_path / "head.glb").read_bytes())
    origin = textured.unwrapped.origin
    assert np.abs(arrays["POSITION"] - textured.mesh.vertices[origin]).max() < 1e-6
    assert np.abs(np.linalg.norm(arrays["NORMAL"], axis=1) - 1).max() < 1e-5
    assert np.abs(arrays["NORMAL"] - textured.mesh.vertex_normals[origin]).max() < 1e-5
    assert (arrays["indices"].reshape(-1, 3) == textured.unwrapped.triangles).all()
    assert Image.open(io.BytesIO(picture)).size == (128, 128)


def test_obj_shares_its_vertices_and_names_its_material(textured, tmp_path):
    path = tmp_path / "my head.obj"
    write_textured(textured, path)
    assert sorted(tree(tmp_path)) == ["my head.obj", "my_head-texture.jpg", "my_head.mtl"]
    rows = [line.split() for line in path.read_text().splitlines()]
    assert rows[0] == ["mtllib", "my_head.mtl"] and ["usemtl", "head"] in rows
    vertices = np.array([row[1:] for row in rows if row[0] == "v"], float)
    assert np.abs(vertices - textured.mesh.vertices).max() < 1e-6  # each once, so that the surface is closed
    faces = np.array([[corner.split("/") for corner in row[1:]] for row in rows if row[0] == "f"], int) - 1
    assert (faces[..., 0] == textured.mesh.faces).all() and (faces[..., 1] == textured.unwrapped.triangles).all()
    assert "map_Kd my_head-texture.jpg" in (tmp_path / "my_head.mtl").read_text()


def test_an_obj_replaces_nothing_unless_it_may(textured, tmp_path):
    _, texture = companions(tmp_path / "head.obj")
    texture.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write_textured(textured, tmp_path / "head.obj")
    assert list(tmp_path.iterdir()) == [texture] and texture.read_text() == "mine"
    write_textured(textured, tmp_path / "head.obj", replace=True)
    assert len(list(tmp_path.iterdir())) == 3 and texture.read_bytes()[:2] == b"\xff\xd8"


def test_levels_of_detail_have_names_of_their_own(tmp_path):
    paths = level_paths(tmp_path / "my head.obj", 3)
    assert [path.name for path in paths] == ["my head.obj", "my head-lod1.obj", "my head-lod2.obj"]
    long = level_paths(tmp_path / ("x" * 240 + ".obj"), 2)
    assert len({path for each in long for path in (each, *companions(each))}) == 6
    assert level_paths(tmp_path / ("x" * 251 + ".glb"), 1)
    with pytest.raises(UsageError, match="is too long"):
        level_paths(tmp_path / ("é" * 124 + ".glb"), 2)


def test_ply_stands_along_z_and_looks_along_negative_y(tmp_path):
    mesh = ball()
    write_plain(mesh, tmp_path / "head.ply")
    vertices, faces = ply(tmp_path / "head.ply")
    assert isinstance(mesh.visual, trimesh.visual.ColorVisuals)
    x, y, z = mesh.vertices.T
    for name, expected in {"x": x, "y": -z, "z": y}.items():
        assert np.abs(vertices[name] - expected).max() < 1e-6
    for channel, name in enumerate(("red", "green", "blue")):
        assert (vertices[name] == np.asarray(mesh.visual.vertex_colors)[:, channel]).all()
    assert (faces == mesh.faces).all()


def test_stl_is_binary_and_stands_along_z(tmp_path):
    mesh = ball()
    write_plain(mesh, tmp_path / "head.stl")
    data = (tmp_path / "head.stl").read_bytes()
    (count,) = struct.unpack_from("<I", data, 80)
    assert not data.startswith(b"solid") and count == len(mesh.faces) and len(data) == 84 + 50 * count
    facets = np.frombuffer(data, [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("more", "<u2")], count, 84)
    upright = facets["corners"] @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert np.abs(upright - mesh.triangles).max() < 1e-6
    sides = np.diff(facets["corners"], axis=1)
    assert np.einsum("ij,ij->i", np.cross(sides[:, 0], sides[:, 1]), facets["normal"]).min() > 0
    assert trimesh.load_mesh(tmp_path / "head.stl").is_watertight


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_any_size_is_written_exactly_enough(textured, tmp_path, scale):
    large = textured.scaled(scale)
    write_textured(large, tmp_path / "head.obj")
    write_plain(large.mesh, tmp_path / "head.stl")


def changed(textured: TexturedMesh, part: str) -> TexturedMesh:
    mesh, opened, texture = textured.mesh.copy(), textured.unwrapped, textured.texture.copy()
    if part == "vertices":
        mesh.vertices[7] += 1e-4
    elif part == "faces":
        mesh.update_faces(np.arange(len(mesh.faces)) > 0)
        opened = Unwrapped(opened.origin, opened.triangles[1:], opened.uv)
    elif part == "colors":
        assert isinstance(mesh.visual, trimesh.visual.ColorVisuals)
        mesh.visual.vertex_colors[5, 2] -= 40
        texture[40:60, 40:60] = 255 - texture[40:60, 40:60]
    return TexturedMesh(mesh, opened, texture)


@pytest.mark.parametrize(
    ("suffix", "part"),
    [
        (suffix, part)
        for suffix in (".glb", ".obj", ".ply", ".stl")
        for part in ("vertices", "colors", "faces")
        if (suffix, part) != (".stl", "colors")
    ],
)
def test_a_file_that_holds_something_else_is_noticed(textured, tmp_path, monkeypatch, suffix, part):
    path, other = tmp_path / f"ball{suffix}", changed(textured, part)
    written = module._written

    def swapped(files, *arguments):
        if suffix == ".glb":
            files = {path.name: module._glb(other, module._jpeg(other.texture))}
        elif suffix == ".obj":
            material, texture = companions(path)
            files |= {path.name: module._obj(other, material.name), texture.name: module._jpeg(other.texture)}
        else:
            placed = other.mesh.copy().apply_transform(module._TO_Z_UP)
            files = {path.name: placed.export(file_type=suffix[1:])}
        return written(files, *arguments)

    monkeypatch.setattr(module, "_written", swapped)
    with pytest.raises(Inv3dError, match="does not contain what was written"):
        if suffix in module.TEXTURED:
            write_textured(textured, path)
        else:
            write_plain(textured.mesh, path)
    assert list(tmp_path.iterdir()) == []
