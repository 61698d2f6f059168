"""The files of a mesh: GLB, OBJ and USDZ with a texture, PLY with the colours of vertices, STL without colours.

GLB, OBJ and USDZ have y up and the face towards +z, PLY and STL z up and the face towards -y, as the programs that read them
expect. All files are opened again and compared with what they should contain; only then do they get their names.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from inv3d.core.errors import Inv3dError, UsageError
from inv3d.core.files import write_whole
from inv3d.export import usdz
from inv3d.export.glb import glb
from inv3d.export.texture import colors_of
from inv3d.export.textured import TexturedMesh

TEXTURED, PLAIN = (".glb", ".obj", ".usdz"), (".ply", ".stl")
_TO_Z_UP = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.float64)
_LONGEST = 200  # characters of the names of an OBJ file's companions
_LONGEST_NAME = 255  # bytes of a file's name
_ROUNDING = 1e-5  # of coordinates, of the largest

Files = dict[str, bytes]


def level_paths(path: Path, count: int) -> list[Path]:
    """The files of `count` levels of detail, the finest first: head.glb, head-lod1.glb and so on. Raises UsageError if a name
    is too long."""
    paths = [path, *(path.with_name(f"{path.stem}-lod{level}{path.suffix}") for level in range(1, count))]
    if count > 1 and len(os.fsencode(paths[-1].name)) > _LONGEST_NAME:
        raise UsageError(f"the file name {paths[-1].name} is too long", "choose a shorter one with --out")
    return paths


def companions(path: Path) -> tuple[Path, ...]:
    """The other files that belong to a mesh at `path`: an OBJ's material and picture, whose names have no spaces."""
    if path.suffix.lower() != ".obj":
        return ()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", path.stem)[-_LONGEST:]
    return path.with_name(f"{stem}.mtl"), path.with_name(f"{stem}-texture.jpg")


def write_textured(textured: TexturedMesh, path: Path, replace: bool = False) -> None:
    """Write GLB, OBJ or USDZ by the suffix, with the `companions`. Raises UsageError if a file exists and may not be
    replaced, or the package that writes it is missing; Inv3dError if a file does not contain what was written; OSError."""
    with textured_file(textured, path, replace):
        pass


@contextmanager
def textured_file(textured: TexturedMesh, path: Path, replace: bool = False) -> Iterator[None]:
    """Like `write_textured`, but the files get their names only when the block ends without an error, so that several
    meshes can be written or none."""
    jpeg = _jpeg(textured.texture)
    if path.suffix.lower() == ".usdz":
        with write_whole(path, replace) as part:
            if not usdz.write_package(textured, jpeg, part):
                raise unlike(path)
            yield
        return
    if path.suffix.lower() == ".glb":
        files = {path.name: _glb(textured, jpeg)}
    else:
        material, texture = companions(path)
        files = {
            path.name: _obj(textured, material.name),
            material.name: _mtl(texture.name),
            texture.name: jpeg,
        }
    with _written(files, path, lambda read: _same_textured(textured, jpeg, read), replace):
        yield


@contextmanager
def plain_file(mesh: trimesh.Trimesh, path: Path, replace: bool = False) -> Iterator[None]:
    """The same for PLY and STL."""
    placed = mesh.copy().apply_transform(_TO_Z_UP)
    data: Any = placed.export(file_type=path.suffix.lower()[1:])
    colored = path.suffix.lower() == ".ply"
    with _written({path.name: data}, path, lambda read: _same_plain(placed, read, colored), replace):
        yield


@contextmanager
def _written(files: Files, path: Path, same: Callable[[Any], bool], replace: bool) -> Iterator[None]:
    """Write `files`, and let them have their names at the end of the block if `same` recognises what trimesh reads in them;
    `path`, which refers to the others, gets its name last."""
    with ExitStack() as whole:
        parts = {name: whole.enter_context(write_whole(path.with_name(name), replace)) for name in files}
        for name, data in files.items():
            parts[name].write_bytes(data)
        written = {name: io.BytesIO(part.read_bytes()) for name, part in parts.items()}
        read = trimesh.load(
            written.pop(path.name),
            file_type=path.suffix.lower()[1:],
            resolver=trimesh.resolvers.ZipResolver(written),
            force="mesh",
            process=False,
        )
        if not same(read):
            raise unlike(path)
        yield


def unlike(path: Path) -> Inv3dError:
    """The error for a file that does not contain what was written."""
    return Inv3dError(
        f"{path.name} does not contain what was written",
        "please report it, with the versions that `inv3d doctor` prints",
    )


def _jpeg(texture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(texture).save(buffer, format="JPEG", quality=92, subsampling=0, optimize=True)
    return buffer.getvalue()


def _glb(textured: TexturedMesh, jpeg: bytes) -> bytes:
    opened, mesh = textured.unwrapped, textured.mesh
    positions, normals = (np.asarray(each)[opened.origin] for each in (mesh.vertices, mesh.vertex_normals))
    return glb(positions, normals, opened.uv, opened.triangles, jpeg, "head")


def _obj(textured: TexturedMesh, material: str) -> bytes:
    opened, mesh = textured.unwrapped, textured.mesh
    corners = np.stack([mesh.faces, opened.triangles, mesh.faces], 2).reshape(len(mesh.faces), 9) + 1
    buffer = io.StringIO(newline="\n")
    buffer.write(f"mtllib {material}\no head\n")
    np.savetxt(buffer, mesh.vertices, "v %.7g %.7g %.7g")
    np.savetxt(buffer, opened.uv, "vt %.7g %.7g")
    np.savetxt(buffer, mesh.vertex_normals, "vn %.4f %.4f %.4f")
    buffer.write("usemtl head\n")
    np.savetxt(buffer, corners, "f %d/%d/%d %d/%d/%d %d/%d/%d")
    return buffer.getvalue().encode()


def _mtl(texture: str) -> bytes:
    """A matt material; the light is in the picture already."""
    return f"newmtl head\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {texture}\n".encode()


def _same_textured(textured: TexturedMesh, jpeg: bytes, read: Any) -> bool:
    if not _same_surface(textured.mesh, read) or read.visual.kind != "texture":
        return False
    material, uv = read.visual.material, textured.unwrapped.uv[textured.unwrapped.triangles]
    found = material.baseColorTexture if hasattr(material, "baseColorTexture") else material.image
    return np.allclose(read.visual.uv[read.faces], uv, atol=_ROUNDING) and np.array_equal(
        np.asarray(found.convert("RGB")), np.asarray(Image.open(io.BytesIO(jpeg)))
    )


def _same_plain(mesh: trimesh.Trimesh, read: Any, colored: bool) -> bool:
    if not _same_surface(mesh, read):
        return False
    return not colored or (
        read.visual.kind == "vertex" and np.array_equal(colors_of(read)[read.faces], colors_of(mesh)[mesh.faces])
    )


def _same_surface(mesh: trimesh.Trimesh, read: Any) -> bool:
    """Whether the corners of all triangles are in the same places."""
    tolerance = _ROUNDING * float(np.abs(mesh.vertices).max())
    return read.faces.shape == mesh.faces.shape and np.allclose(read.triangles, mesh.triangles, rtol=0, atol=tolerance)
