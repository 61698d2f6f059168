import json
from types import SimpleNamespace

import pytest

from inv3d.cli.arguments import levels
from inv3d.cli.export import export
from inv3d.core import headfile
from inv3d.core.device import choose_device
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


def test_every_level_of_detail_is_told(asked, tmp_path, capsys):
    out = tmp_path / "head.glb"
    export(tmp_path, out, levels("2000,500"), ipd=63.0, device=str(choose_device("cpu").device), as_json=True)
    assert (asked[0].triangles, asked[0].levels, asked[0].ipd) == (2000, (500,), 63.0)
    told = capsys.readouterr()
    assert json.loads(told.out) == {
        "out": str(out), "triangles": 1998, "units": "metres", "head_width_mm": 151.6, "psnr": 31.26, "psnr_face": 32.0,
        "coarser": [{"out": str(tmp_path / "head-lod1.glb"), "triangles": 498, "psnr": 27.0, "psnr_face": 28.0}],
    }  # fmt: skip
    assert "mesh 1/1\n" in told.err and "the head is 152 mm wide" in told.err and "head-lod1.glb\n  498 triangles" in told.err


def test_all_files_of_an_obj_are_named(asked, tmp_path, capsys):
    export(tmp_path, tmp_path / "head.obj", device=str(choose_device("cpu").device))
    mtl, picture = tmp_path / "head.mtl", tmp_path / "head-texture.jpg"
    assert f"wrote {tmp_path / 'head.obj'} with {mtl} and {picture}\n" in capsys.readouterr().out


def test_what_contradicts_itself_is_refused_before_the_head_is_read(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(headfile, "load_head", lambda folder, device: pytest.fail("read the head"))
    with pytest.raises(UsageError, match="exclude each other"):
        export(tmp_path, tmp_path / "head.glb", head_width=155.0, ipd=63.0)
    with pytest.raises(UsageError, match="no levels of detail"):
        export(tmp_path, tmp_path / "head.stl", levels("2000,500"))
    (tmp_path / "head-lod1.mtl").touch()
    with pytest.raises(UsageError, match=r"head-lod1\.mtl exists already"):
        export(tmp_path, tmp_path / "head.obj", levels("2000,500"))
