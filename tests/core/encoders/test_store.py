import pytest
import torch

from inv3d.core import library
from inv3d.core.encoders.pyramid import build_encoder, small_config
from inv3d.core.encoders.store import load_encoder, save_encoder
from inv3d.core.errors import ModelError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model's folder in a library of its own."""
    monkeypatch.setattr(library, "EMBEDDED", tmp_path)
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "model.json").touch()
    return tmp_path / "small"


@pytest.mark.parametrize("kind", ["pyramid", "offsets", "last-layer"])
def test_an_encoder_comes_back_with_its_mean_code(folder, kind):
    config = small_config(10, 16)
    encoder = build_encoder(type(config)(**{**config.__dict__, "kind": kind})).eval()
    encoder.mean_code.normal_(generator=torch.Generator().manual_seed(1))
    save_encoder(encoder, folder / "preim3d.safetensors", torch.float32)
    again = load_encoder("small", "preim3d")
    picture = torch.rand(1, 3, 128, 128)
    assert again.config == encoder.config
    assert torch.equal(again(picture), encoder(picture))


def test_a_missing_or_damaged_encoder_is_named(folder):
    with pytest.raises(ModelError, match="has no encoder 'preim3d'"):
        load_encoder("small", "preim3d")
    save_encoder(build_encoder(small_config(10, 16)), folder / "preim3d.safetensors")
    whole = (folder / "preim3d.safetensors").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"x" * 100):
        (folder / "preim3d.safetensors").write_bytes(damaged)
        with pytest.raises(ModelError, match="cannot be loaded"):
            load_encoder("small", "preim3d")
