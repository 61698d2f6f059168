import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from inv3d.core.errors import ModelError, UsageError
from inv3d.core.people.basis import Basis
from tests.core.people.standin import standin_basis


def test_a_basis_is_read_as_it_was_written(tmp_path: Path) -> None:
    basis = standin_basis()
    basis.save(tmp_path / "basis.safetensors")
    again = Basis.load(tmp_path / "basis.safetensors")
    assert torch.equal(again.template, basis.template) and torch.equal(again.triangles, basis.triangles)
    assert torch.allclose(again.local, basis.local, atol=1e-5)


def test_without_the_human_model_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from inv3d.core.people.store import people_basis

    monkeypatch.setenv("INV3D_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "anny", None)
    with pytest.raises(UsageError) as caught:
        people_basis()
    assert "train" in caught.value.hint


@pytest.mark.parametrize("damage", ["cut", "other", "text"])
def test_a_damaged_basis_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    import types

    from inv3d.core.people.store import basis_file, people_basis

    monkeypatch.setenv("INV3D_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "warp", types.ModuleType("warp"))
    path = basis_file()
    standin_basis().save(path)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:5000], "other": save({"z": torch.zeros(1)}), "text": b"no basis"}[damage])
    with pytest.raises(ModelError, match="basis"):
        people_basis()
