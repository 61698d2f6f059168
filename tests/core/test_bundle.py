import json
import shutil
import subprocess
import sys

import pytest
import torch

from inv3d.core import library
from inv3d.core.bundle import PARTS, load_bundle, read_info
from inv3d.core.errors import ModelError

LIMIT = 45 * 10**6


def test_the_embedded_model_is_small_and_free():
    folder = library.model_folder("demo")
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LIMIT
    assert read_info("demo").license == "Apache-2.0"


def test_saving_and_loading_keep_every_weight(demo, tmp_path, monkeypatch):
    demo.save(tmp_path / "copy")
    monkeypatch.setattr(library, "EMBEDDED", tmp_path)
    again = load_bundle("copy")
    for part in PARTS:
        ours, theirs = getattr(demo, part).state_dict(), getattr(again, part).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert again.fingerprint == demo.fingerprint
    assert again.world is not None and again.directions is not None
    assert again.world.measured.border == demo.world.measured.border
    for ours, theirs in zip(demo.directions, again.directions, strict=True):
        assert ours.name == theirs.name and torch.equal(ours.step, theirs.step)


def test_an_unknown_model_is_named_with_those_there_are():
    with pytest.raises(ModelError) as caught:
        load_bundle("nobody")
    assert "nobody" in caught.value.message and "demo" in caught.value.hint


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The embedded model in a folder of its own."""
    shutil.copytree(library.model_folder("demo"), tmp_path / "demo")
    monkeypatch.setattr(library, "EMBEDDED", tmp_path)
    return tmp_path / "demo"


@pytest.mark.parametrize("damage", ["cut", "missing", "json", "swapped"])
def test_a_damaged_model_is_refused(damage, copy):
    broken = copy / ("model.json" if damage == "json" else "aligner.safetensors")
    if damage == "missing":
        broken.unlink()
    elif damage == "json":
        broken.write_text(json.dumps({"name": "demo"}))
    elif damage == "swapped":
        shutil.copyfile(copy / "judge.safetensors", broken)
    else:
        broken.write_bytes(broken.read_bytes()[:1000])
    with pytest.raises(ModelError, match=broken.name):
        load_bundle("demo")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("w_dim", 10**9, "generator.w_dim should be less than or equal to 4096"),
        ("w_dim", 4096, "has shape"),
        ("mapping.layers", 10**6, "generator.mapping.layers should be"),
        ("plane_resolution", 63, "generator.plane_resolution should be a power of two"),
        ("plane_resolution", 1 << 40, "generator.plane_resolution should be"),
        ("channel_max", 4096, "has shape"),
        ("canonical.resolution", 2048, "canonical.planes has shape"),
        ("rendering.far", 1.0, "far should be greater than near"),
        ("rendering.box", 0, "generator.rendering.box should be greater than 0"),
        ("rendering.fine_samples", 0, "fine_samples should be at least 2"),
        ("rendering.proposal_grid", 10**5, "generator.rendering.proposal_grid should be"),
        ("rendering.plane_axes", [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]] * 3, "back_texels need a plane_layout"),
        ("mapping", [1, 2], "generator.mapping should be an object"),
        ("c_dim", 7, "generator.c_dim should be a multiple of 25"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_before_anything_is_made(field, value, said, copy):
    data = json.loads((copy / "model.json").read_text())
    *parts, last = field.split(".")
    place = data["generator"]
    for part in parts:
        place = place[part]
    place[last] = value
    (copy / "model.json").write_text(json.dumps(data))
    with pytest.raises(ModelError, match=said):
        load_bundle("demo")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"radius": 0.0}, "radius"),
        ({"focal": -1.0}, "focal"),
        ({"pivot": [0.0, 3.0, 0.0]}, "distance of the pivot"),
        ({"camera_convention": "OpenGL"}, "camera_convention"),
        ({"subject": "cats"}, "subject"),
        ({"perceptual_outputs": 98}, "has shape"),
        ({"format": 2}, "newer version"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(change, said, copy):
    data = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps(data | change))
    with pytest.raises(ModelError, match=said):
        load_bundle("demo")


def test_a_model_is_named_as_its_folder(copy):
    copy.rename(copy.with_name("other"))
    assert read_info("other").name == "other"


def test_loading_a_model_imports_no_compiler():
    code = "import sys; from inv3d.core.bundle import load_bundle; load_bundle('demo'); print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_directions_are_optional_and_belong_to_the_weights(copy):
    path = copy / "directions.safetensors"
    whole = path.read_bytes()
    path.unlink()
    assert load_bundle("demo").directions is None
    path.write_bytes(whole[:100])
    with pytest.raises(ModelError, match=r"directions\.safetensors"):
        load_bundle("demo")
