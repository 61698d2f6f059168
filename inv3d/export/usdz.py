"""USDZ, Pixar's Universal Scene Description in one file, which phones show in the room; needs the extra `usd`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from inv3d.core.errors import UsageError
from inv3d.export.textured import TexturedMesh

_TEXTURE = "texture.jpg"
_ROUNDING = 1e-6


def usd() -> Any:
    """The package `pxr`. Raises UsageError if it is not installed."""
    try:
        import pxr
        from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, UsdUtils, Vt  # noqa: F401 - become attributes of the package
    except ImportError as error:
        raise UsageError(
            "writing .usdz needs usd-core, which is not installed", "install it with: pip install 'inv3d[usd]'"
        ) from error
    return pxr


def write_package(textured: TexturedMesh, jpeg: bytes, path: Path) -> bool:
    """Write a mesh in metres (y up, facing +z) with its texture as `jpeg` to `path`, over what is there; returns whether
    the file, opened again, contains it. Raises UsageError without `pxr`, OSError."""
    pxr = usd()
    with tempfile.TemporaryDirectory() as name:
        # its writers go by the endings of files
        stage, package = Path(name, "head.usdc"), Path(name, "head.usdz")
        Path(name, _TEXTURE).write_bytes(jpeg)
        _write_stage(pxr, textured, stage)
        if not pxr.UsdUtils.CreateNewUsdzPackage(str(stage), str(package)) or not _contains(pxr, package, textured):
            return False
        path.write_bytes(package.read_bytes())
    return True


def _write_stage(pxr: Any, textured: TexturedMesh, path: Path) -> None:
    opened, mesh = textured.unwrapped, textured.mesh
    stage = pxr.Usd.Stage.CreateNew(str(path))
    pxr.UsdGeom.SetStageUpAxis(stage, pxr.UsdGeom.Tokens.y)
    pxr.UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    root = pxr.UsdGeom.Xform.Define(stage, "/Head")
    stage.SetDefaultPrim(root.GetPrim())
    surface = pxr.UsdGeom.Mesh.Define(stage, "/Head/Surface")
    points = np.asarray(mesh.vertices, np.float32)[opened.origin]
    surface.CreatePointsAttr(pxr.Vt.Vec3fArray.FromNumpy(points))
    surface.CreateExtentAttr(pxr.Vt.Vec3fArray.FromNumpy(np.stack([points.min(0), points.max(0)])))
    surface.CreateFaceVertexCountsAttr(pxr.Vt.IntArray.FromNumpy(np.full(len(opened.triangles), 3, np.int32)))
    surface.CreateFaceVertexIndicesAttr(pxr.Vt.IntArray.FromNumpy(opened.triangles.astype(np.int32).reshape(-1)))
    surface.CreateSubdivisionSchemeAttr(pxr.UsdGeom.Tokens.none)
    vertex = pxr.UsdGeom.Tokens.vertex
    surface.CreateNormalsAttr(pxr.Vt.Vec3fArray.FromNumpy(np.asarray(mesh.vertex_normals, np.float32)[opened.origin]))
    surface.SetNormalsInterpolation(vertex)
    kinds, api = pxr.Sdf.ValueTypeNames, pxr.UsdGeom.PrimvarsAPI(surface)
    coordinates = api.CreatePrimvar("st", kinds.TexCoord2fArray, vertex)
    coordinates.Set(pxr.Vt.Vec2fArray.FromNumpy(np.asarray(opened.uv, np.float32)))
    pxr.UsdShade.MaterialBindingAPI.Apply(surface.GetPrim()).Bind(_material(pxr, stage, kinds))
    stage.GetRootLayer().Save()


def _material(pxr: Any, stage: Any, kinds: Any) -> Any:
    """A matt surface with the texture as its colour."""
    material = pxr.UsdShade.Material.Define(stage, "/Head/Skin")
    shader, picture, reader = (
        pxr.UsdShade.Shader.Define(stage, f"/Head/Skin/{name}") for name in ("Surface", "Texture", "Coordinates")
    )
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", kinds.String).Set("st")
    picture.CreateIdAttr("UsdUVTexture")
    picture.CreateInput("file", kinds.Asset).Set(pxr.Sdf.AssetPath(_TEXTURE))
    picture.CreateInput("sourceColorSpace", kinds.Token).Set("sRGB")
    for side in ("wrapS", "wrapT"):
        picture.CreateInput(side, kinds.Token).Set("clamp")
    picture.CreateInput("st", kinds.Float2).ConnectToSource(reader.CreateOutput("result", kinds.Float2))
    shader.CreateIdAttr("UsdPreviewSurface")
    color = picture.CreateOutput("rgb", kinds.Float3)
    shader.CreateInput("diffuseColor", kinds.Color3f).ConnectToSource(color)
    shader.CreateInput("roughness", kinds.Float).Set(1.0)
    shader.CreateInput("metallic", kinds.Float).Set(0.0)
    material.CreateSurfaceOutput().ConnectToSource(shader.CreateOutput("surface", kinds.Token))
    return material


def _contains(pxr: Any, path: Path, textured: TexturedMesh) -> bool:
    stage = pxr.Usd.Stage.Open(str(path))
    surface = pxr.UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Surface"))
    points = np.asarray(surface.GetPointsAttr().Get())
    corners = points[np.asarray(surface.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)]
    expected = np.asarray(textured.mesh.triangles)
    return corners.shape == expected.shape and bool(np.abs(corners - expected).max() <= _ROUNDING * np.abs(expected).max())
