import json
import shutil

import pytest
import torch

from inv3d.core import library
from inv3d.core.bundle import PARTS, load_bundle, read_info
from inv3d.core.errors import ModelError

LIMIT = 20 * 10**6


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


def test_an_unknown_model_is_named_with_those_there_are():
    with pytest.raises(ModelError) as caught:
        load_bundle("nobody")
    assert "nobody" in caught.value.message and "demo" in caught.value.hint


@pytest.mark.parametrize("damage", ["cut", "missing", "json"])
def test_a_damaged_model_is_refused(damage, tmp_path, monkeypatch):
    shutil.copytree(library.model_folder("demo"), tmp_path / "demo")
    broken = tmp_path / "demo" / ("model.json" if damage == "json" else "aligner.safetensors")
    if damage == "missing":
        broken.unlink()
    elif damage == "json":
        broken.write_text(json.dumps({"name": "demo"}))
    else:
        broken.write_bytes(broken.read_bytes()[:1000])
    monkeypatch.setattr(library, "EMBEDDED", tmp_path)
    with pytest.raises(ModelError, match=broken.name):
        load_bundle("demo")
