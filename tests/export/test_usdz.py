import sys

import numpy as np
import pytest

from inv3d.core.errors import UsageError
from inv3d.export.formats import write_textured
from inv3d.export.usdz import usd
from tests.export.textures import textured_ball


def test_without_its_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(UsageError) as refused:
        usd()
    assert "inv3d[usd]" in refused.value.hint


def test_a_package_shows_the_mesh_with_its_texture(tmp_path):
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom, UsdShade, UsdValidation

    textured = textured_ball()
    path = tmp_path / "Head.USDZ"
    write_textured(textured, path)
    assert list(tmp_path.iterdir()) == [path]
    copy = tmp_path / "copy.usdz"  # a reader goes by the ending
    copy.write_bytes(path.read_bytes())
    stage = Usd.Stage.Open(str(copy))
    registry = UsdValidation.ValidationRegistry()
    faults = UsdValidation.ValidationContext(registry.GetOrLoadAllValidators()).Validate(stage)
    assert not [fault.GetMessage() for fault in faults]
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    surface = UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Surface"))
    corners = np.asarray(surface.GetPointsAttr().Get())[np.asarray(surface.GetFaceVertexIndicesAttr().Get())]
    assert np.abs(corners.reshape(-1, 3, 3) - textured.mesh.triangles).max() < 1e-6
    uv = np.asarray(UsdGeom.PrimvarsAPI(surface).GetPrimvar("st").Get())
    assert np.abs(uv - textured.unwrapped.uv).max() < 1e-6
    material, _ = UsdShade.MaterialBindingAPI(surface.GetPrim()).ComputeBoundMaterial()
    assert material.GetPrim().GetPath() == "/Head/Skin"
    with pytest.raises(UsageError, match="exists"):
        write_textured(textured, path)
