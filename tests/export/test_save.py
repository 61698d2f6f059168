import gzip
from dataclasses import replace

import pytest
import trimesh

from inv3d.core.errors import UsageError
from inv3d.export import save as module
from inv3d.export import sides
from inv3d.export.mesh import extract_mesh, head_width
from inv3d.export.save import Wanted, save

SMALL = Wanted(triangles=1500, texture=64, resolution=40)


@pytest.fixture(autouse=True)
def few_shots(monkeypatch):
    monkeypatch.setattr(sides, "_SHOTS", ((0.0, 0.0),))
    each = sides.likeness_each
    monkeypatch.setattr(module, "likeness_each", lambda head, shows: each(head, shows, 24))
    monkeypatch.setattr(module, "likeness", lambda head, show: each(head, [show], 24)[0])


@pytest.mark.parametrize(
    ("name", "width", "units", "size"),
    [
        ("a.glb", None, "the model's world units", None),
        ("a.obj", 150.0, "metres", 0.15),
        ("a.ply", 150.0, "metres", 0.15),
        ("a.stl", 150.0, "millimetres", 150.0),
        ("a.STL", None, "millimetres", 155.0),
    ],
)
def test_files_have_the_size_that_is_wanted(head, tmp_path, name, width, units, size):
    made = save(head, tmp_path / name, replace(SMALL, head_width=width))
    assert made.units == units and made.triangles is not None and made.triangles <= 1500
    assert (made.likeness is None) == (name[-3:].lower() in ("ply", "stl"))
    read = trimesh.load_mesh(tmp_path / name)
    assert len(read.faces) == made.triangles
    if size is not None:
        assert 0.95 * size < read.extents[0] < 3 * size  # the shoulders may be wider than the head


@pytest.mark.parametrize(("name", "unit"), [("a.ply", 0.001), ("a.stl", 1.0), ("a.glb", 0.001)])
def test_pupils_tell_the_size_too(head, tmp_path, monkeypatch, name, unit):
    """Of pupils 0.1 world units apart that are 63 mm apart, a world unit is 630 mm."""
    monkeypatch.setattr(module, "pupil_distance", lambda head: 0.1)
    made = save(head, tmp_path / name, replace(SMALL, ipd=63.0))
    width = head_width(extract_mesh(head, 40, 1500, flat=name == "a.stl"))
    assert made.head_width == pytest.approx(630 * width) and made.units == ("millimetres" if unit == 1.0 else "metres")
    own = extract_mesh(head, 40, 1500, flat=name == "a.stl").extents[0]
    assert trimesh.load_mesh(tmp_path / name).extents[0] == pytest.approx(630 * unit * own, rel=1e-4)


@pytest.mark.parametrize("name", ["a.glb", "a.obj", "a.ply"])
def test_levels_of_detail_are_written_beside_the_finest(head, tmp_path, name):
    made = save(head, tmp_path / name, replace(SMALL, levels=(600, 200), head_width=150.0))
    stem, suffix = name.split(".")
    assert [each.path.name for each in made.coarser] == [f"{stem}-lod1.{suffix}", f"{stem}-lod2.{suffix}"]
    finest = trimesh.load_mesh(tmp_path / name)
    for level, most in zip(made.coarser, (600, 200), strict=True):
        read = trimesh.load_mesh(level.path)
        assert most / 2 < len(read.faces) == level.triangles <= most
        assert read.extents == pytest.approx(finest.extents, rel=0.1)
        assert read.visual is not None
        if name == "a.ply":
            assert read.visual.kind == "vertex" and read.is_watertight and level.likeness is None
        else:
            assert read.visual.kind == "texture" and level.likeness is not None and level.likeness.around > 12


def test_levels_of_detail_are_written_all_or_none(head, tmp_path):
    (tmp_path / "a-lod1.ply").write_text("mine")
    with pytest.raises(UsageError, match=r"a-lod1\.ply exists already"):
        save(head, tmp_path / "a.ply", replace(SMALL, levels=(600, 200)))
    assert [path.name for path in tmp_path.iterdir()] == ["a-lod1.ply"]
    assert (tmp_path / "a-lod1.ply").read_text() == "mine"


@pytest.mark.parametrize(("name", "splats"), [("a.stl", False), ("a.mp4", False), ("a.spz", False), ("a.ply", True)])
def test_what_has_no_levels_of_detail_says_so(head, tmp_path, name, splats):
    with pytest.raises(UsageError, match="no levels of detail"):
        save(head, tmp_path / name, Wanted(levels=(600,), splats=splats))


def test_a_head_has_one_size():
    with pytest.raises(UsageError, match="--head-width and --ipd exclude each other"):
        Wanted(head_width=155.0, ipd=63.0)


def test_splats_are_compared_with_the_head(head, tmp_path):
    made = save(head, tmp_path / "a.ply", Wanted(resolution=40, splats=True))
    assert made.splats is not None and made.splats > 1000 and made.triangles is None
    assert made.likeness is not None and made.likeness.around > 15


def test_an_spz_file_has_splats_without_being_told(head, tmp_path):
    made = save(head, tmp_path / "a.SPZ", Wanted(resolution=40, head_width=150.0))
    assert made.splats is not None and made.splats > 1000 and made.units == "metres"
    assert gzip.decompress((tmp_path / "a.SPZ").read_bytes()).startswith(b"NGSP")


@pytest.mark.parametrize(("name", "splats"), [("a.png", False), ("a", False), ("a.glb", True)])
def test_other_endings_are_refused(head, tmp_path, name, splats):
    with pytest.raises(UsageError, match="not an export format"):
        save(head, tmp_path / name, Wanted(splats=splats))
