import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from inv3d.cli.app import app
from inv3d.core import headfile
from inv3d.core.errors import UsageError
from inv3d.export import save as module
from inv3d.export.save import Exported, Level, Wanted
from inv3d.export.sides import Likeness


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """What the command asks for, instead of doing it: a mesh with one coarser level."""
    found: list[Wanted] = []

    def save(head, out, wanted, photos, replace, progress):
        found.append(wanted)
        progress("mesh", 1, 1, {})
        coarse = Level(out.with_name("head-lod1.glb"), 498, Likeness(27.0, 28.0))
        return Exported(1998, units="metres", likeness=Likeness(31.26, 32.0), head_width=151.6, coarser=(coarse,))

    monkeypatch.setattr(module, "save", save)
    monkeypatch.setattr(headfile, "load_head", lambda folder, device: SimpleNamespace())
    return found


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["export", str(folder), "--device", "cpu", *arguments])


def test_every_level_of_detail_is_told(asked, tmp_path):
    out = tmp_path / "head.glb"
    told = run(tmp_path, "--out", str(out), "--triangles", "2000,500", "--ipd", "63mm", "--json")
    assert (asked[0].triangles, asked[0].levels, asked[0].ipd) == (2000, (500,), 63.0)
    assert json.loads(told.stdout) == {
        "out": str(out), "triangles": 1998, "units": "metres", "head_width_mm": 151.6, "psnr": 31.26, "psnr_face": 32.0,
        "coarser": [{"out": str(tmp_path / "head-lod1.glb"), "triangles": 498, "psnr": 27.0, "psnr_face": 28.0}],
    }  # fmt: skip
    assert "mesh 1/1\n" in told.stderr and "the head is 152 mm wide" in told.stderr
    assert "head-lod1.glb\n  498 triangles" in told.stderr


def test_all_files_of_an_obj_are_named(asked, tmp_path):
    told = run(tmp_path, "--out", str(tmp_path / "head.obj"))
    mtl, picture = tmp_path / "head.mtl", tmp_path / "head-texture.jpg"
    assert f"wrote {tmp_path / 'head.obj'} with {mtl} and {picture}\n" in told.stdout


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("head.glb", ("--head-width", "155mm", "--ipd", "63mm"), "exclude each other"),
        ("head.stl", ("--triangles", "2000,500"), "no levels of detail"),
        ("head.obj", ("--triangles", "2000,500"), "head-lod1.mtl exists already"),
    ],
)
def test_what_contradicts_itself_is_refused_before_the_head_is_read(asked, tmp_path, monkeypatch, name, arguments, said):
    monkeypatch.setattr(headfile, "load_head", lambda folder, device: pytest.fail("read the head"))
    (tmp_path / "head-lod1.mtl").touch()
    error = run(tmp_path, "--out", str(tmp_path / name), *arguments).exception
    assert isinstance(error, UsageError) and said in error.message
