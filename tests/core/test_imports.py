import dataclasses
import errno
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from inv3d.core import imports
from inv3d.core.bundle import load_bundle, read_info
from inv3d.core.checkpoints.read import read_checkpoint
from inv3d.core.errors import ModelError, UsageError
from inv3d.core.imports import Import, import_checkpoint, verify
from inv3d.core.library import sha256
from tests.trees import tree


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INV3D_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def file(tiny, tmp_path):
    save_file({name: tensor.clone() for name, tensor in tiny.state_dict().items()}, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


@pytest.fixture
def imported(home, file):
    return import_checkpoint(Import(file, "tiny", "ffhq", "mine", known_yaw=50.0))


def test_an_imported_model_is_loaded_bit_by_bit(imported, tiny, file):
    bundle = load_bundle("tiny")
    state = bundle.generator.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in tiny.state_dict().items())
    info = read_info("tiny")
    assert info == imported and info.generator == tiny.config
    assert (info.license, info.known_yaw, info.pivot, info.radius) == ("mine", 50.0, (0.0, 0.0, 0.2), 2.7)
    assert info.source is not None and info.source["sha256"] == sha256(file)
    # its cameras look at its pivot
    ahead = info.camera(torch.tensor([0.5]), torch.zeros(1))
    assert torch.allclose(ahead.rays_through(torch.tensor([[[0.5, 0.5]]]))[1][0, 0], ahead.cam2world[0, :3, 2])


def test_what_was_imported_can_be_imported_again(imported, home):
    weights = home / "models" / "tiny" / "generator.safetensors"
    again = import_checkpoint(Import(weights, "again"))
    assert again.generator == imported.generator and again.pivot == imported.pivot
    assert (home / "models" / "again" / "generator.safetensors").read_bytes() == weights.read_bytes()
    assert read_checkpoint(weights).state.keys() == load_file(weights).keys()


def test_a_failed_import_leaves_nothing(home, tmp_path):
    (tmp_path / "bad.pkl").write_bytes(b"\x80\x04nonsense")
    with pytest.raises(ModelError):
        import_checkpoint(Import(tmp_path / "bad.pkl", "bad"))
    assert not home.exists()


def test_replacing_needs_force(imported, file):
    with pytest.raises(UsageError, match="already"):
        import_checkpoint(Import(file, "tiny", "ffhq"))
    assert import_checkpoint(Import(file, "tiny", "afhqcats", force=True)).pivot == (0.0, 0.0, -0.06)


def test_a_model_without_an_aligner_says_how_to_get_one(imported):
    with pytest.raises(ModelError, match="cannot find heads") as caught:
        _ = load_bundle("tiny").aligner
    assert caught.value.hint == "run: inv3d models prepare tiny"


def test_verify_finds_changed_weights_and_nan(imported, home):
    verify("tiny")
    verify("demo")
    folder = home / "models" / "tiny"
    state = load_file(folder / "generator.safetensors")
    state["decoder.net.0.bias"][0] = torch.nan
    save_file(state, folder / "generator.safetensors")
    with pytest.raises(ModelError, match="have changed since the import"):
        verify("tiny")
    description = json.loads((folder / "model.json").read_text())
    description["source"]["generator.safetensors"] = sha256(folder / "generator.safetensors")
    del description["source"]["model.json"]
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(ModelError, match=r"decoder\.net\.0\.bias"):
        verify("tiny")


def test_verify_finds_an_edited_description(imported, home):
    path = home / "models" / "tiny" / "model.json"
    description = json.loads(path.read_text())
    path.write_text(json.dumps(description))  # laid out otherwise, it says the same
    verify("tiny")
    for field, value in (
        ("radius", 3.0),
        ("license", "anything goes"),
        ("source", description["source"] | {"file": "x"}),
    ):
        path.write_text(json.dumps(description | {field: value}))
        with pytest.raises(ModelError, match="description"):
            verify("tiny")


def test_what_was_passed_over_is_reported(home, tiny, tmp_path):
    state = {name: tensor.clone() for name, tensor in tiny.state_dict().items()}
    save_file(state | {"renderer.grid": torch.zeros(2)}, tmp_path / "net.safetensors")
    told: list[str] = []
    import_checkpoint(Import(tmp_path / "net.safetensors", "tiny", "ffhq"), told.append)
    assert told == ["skipped 'renderer.grid': buffers on which no weight depends"]


@pytest.mark.parametrize("change", [{"focal": float("nan")}, {"known_yaw": 1e9}, {"license": "x" * 10_000}])
def test_cameras_and_licences_that_make_no_sense_are_refused(home, file, change):
    with pytest.raises(UsageError, match=next(iter(change))):
        import_checkpoint(dataclasses.replace(Import(file, "tiny", "ffhq"), **change))
    assert not home.exists()


def test_a_model_is_never_replaced_by_a_file_of_its_own_folder(imported, home):
    """It would lose what was made for it: aligner, encoders."""
    folder = home / "models" / "tiny"
    (folder / "aligner.safetensors").write_text("hours of training")
    before = tree(home)
    with pytest.raises(UsageError, match="contains the input"):
        import_checkpoint(Import(folder / "generator.safetensors", "tiny", force=True))
    assert tree(home) == before


def test_a_model_stays_if_the_disk_fills_while_it_is_replaced(imported, home, file, monkeypatch):
    before = tree(home)

    def full(path, record):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(imports, "write_record", full)
    with pytest.raises(OSError, match="No space"):
        import_checkpoint(Import(file, "tiny", "ffhq", "mine", force=True))
    assert tree(home) == before
