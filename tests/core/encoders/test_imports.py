"""Files as pSp's training code writes them, at a size for tests."""

import argparse
from dataclasses import replace

import pytest
import torch

from inv3d.core.encoders import imports
from inv3d.core.encoders.imports import read_public_encoder
from inv3d.core.encoders.pyramid import EncoderConfig, build_encoder
from inv3d.core.errors import ModelError

SMALL = EncoderConfig(widths=(16, 16, 16, 16), units=(1, 1, 1, 1), style_width=16, code_width=16)


@pytest.fixture(autouse=True)
def small_public_encoders(monkeypatch):
    monkeypatch.setattr(imports, "_PUBLIC", SMALL)


def write(path, demo, kind, options):
    config = replace(SMALL, kind=kind, num_ws=demo.generator.code_space.num_ws, w_dim=demo.generator.code_space.w_dim)
    encoder = build_encoder(config).eval()
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    state["decoder.backbone.mapping.w_avg"] = torch.zeros(3)
    torch.save({"state_dict": state, "opts": options, "latent_avg": torch.zeros(3)}, path)
    return encoder


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("pyramid", {"encoder_type": "GradualStyleEncoder"}),
        ("offsets", argparse.Namespace(encoder_type="Encoder4Editing", device="cuda:0")),
        ("offsets", {}),
        ("last-layer", {"encoder_type": "WPlusEncoder", "learning_rate": 1e-4}),
    ],
)
def test_a_public_encoder_reads_what_it_read_before(demo, tmp_path, kind, options):
    encoder = write(tmp_path / "x.pt", demo, kind, options)
    found = read_public_encoder(tmp_path / "x.pt", demo)
    picture = torch.rand(1, 3, 256, 256) * 2 - 1
    assert found.config.kind == kind
    assert torch.allclose(found(picture) - found.mean_code, encoder(picture), atol=1e-6)
    # the mean of codes at 0.7 of the way from the model's own mean: here about the same
    assert torch.allclose(found.mean_code[0], demo.mean_code, atol=0.1) and found.mean_code.std() > 0


@pytest.mark.parametrize("change", [
    lambda state: {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
    lambda state: state,
    lambda state: {name.removeprefix("encoder."): tensor for name, tensor in state.items()},
    lambda state: {"state_dict": {"id_loss.facenet.input_layer.0.weight": torch.zeros(2)} | state},
    lambda state: {"state_dict": {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}},
])  # fmt: skip
def test_an_encoder_is_found_however_it_is_wrapped(demo, tmp_path, change):
    write(tmp_path / "x.pt", demo, "last-layer", {})
    state = torch.load(tmp_path / "x.pt", weights_only=True)["state_dict"]
    own = {name: tensor for name, tensor in state.items() if name.startswith("encoder.")}
    torch.save(change(own), tmp_path / "y.pt")
    found = read_public_encoder(tmp_path / "y.pt", demo)
    assert found(torch.zeros(1, 3, 256, 256)).dtype == torch.float32
    for name, tensor in found.state_dict().items():
        assert torch.allclose(tensor.double(), own[f"encoder.{name}"].double(), rtol=1e-3, atol=1e-6)


def test_weights_that_are_no_numbers_are_named(demo, tmp_path):
    write(tmp_path / "x.pt", demo, "last-layer", {})
    value = torch.load(tmp_path / "x.pt", weights_only=True)
    for change, message in ((torch.nan, "NaN"), (torch.inf, "NaN or infinity")):
        value["state_dict"]["encoder.input_layer.0.weight"][0] = change
        torch.save(value, tmp_path / "y.pt")
        with pytest.raises(ModelError, match=rf"input_layer\.0\.weight contains {message}"):
            read_public_encoder(tmp_path / "y.pt", demo)
    value["state_dict"]["encoder.input_layer.0.weight"] = torch.zeros(16, 3, 3, 3, dtype=torch.int64)
    torch.save(value, tmp_path / "y.pt")
    with pytest.raises(ModelError, match="floating-point"):
        read_public_encoder(tmp_path / "y.pt", demo)


def test_other_files_are_refused_by_name(demo, tmp_path):
    torch.save({"state_dict": {"decoder.x": torch.zeros(1)}}, tmp_path / "none.pt")
    with pytest.raises(ModelError, match="no encoder"):
        read_public_encoder(tmp_path / "none.pt", demo)
    torch.save({"state_dict": {"encoder.input_layer.0.weight": torch.zeros(16, 3, 3, 3)}}, tmp_path / "part.pt")
    with pytest.raises(ModelError, match="is missing"):
        read_public_encoder(tmp_path / "part.pt", demo)
    with pytest.raises(ModelError, match="cannot be read"):
        read_public_encoder(tmp_path / "nothing.pt", demo)
    write(tmp_path / "x.pt", demo, "last-layer", {})
    (tmp_path / "cut.pt").write_bytes((tmp_path / "x.pt").read_bytes()[:5000])
    with pytest.raises(ModelError, match="refused"):
        read_public_encoder(tmp_path / "cut.pt", demo)


@pytest.mark.parametrize("name", ["styles_pigan.0.convs.0.weight", "renderer.network.netLocal.image_filter.conv1.weight"])
@pytest.mark.parametrize("part", ["E_g", None])
def test_public_encoders_of_e3dge_are_refused_by_name(demo, tmp_path, name, part):
    weights = {name: torch.zeros(1), "input_layer.0.weight": torch.zeros(1)}
    torch.save({part: weights} if part else weights, tmp_path / "e3dge.pt")
    with pytest.raises(ModelError, match="encoder of E3DGE for a StyleSDF generator"):
        read_public_encoder(tmp_path / "e3dge.pt", demo)
