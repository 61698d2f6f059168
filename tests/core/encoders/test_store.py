import json

import pytest
import torch
from safetensors.torch import save_file

from inv3d.core.encoders.pyramid import build_encoder, small_config
from inv3d.core.encoders.store import check_encoder, load_encoder, save_encoder
from inv3d.core.errors import ModelError


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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_ws": 10**9}, "num_ws should be"),
        ({"w_dim": 17}, "has shape"),
        ({"input_size": 100}, "input_size should be a power of two"),
        ({"units": [2, 2, 2]}, "units"),
        ({"widths": [16, 32, 48, 4096]}, "has shape|is missing"),
        ({"kind": "transformer"}, "kind should be"),
        ({"more": 1}, "more is unknown"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_before_anything_is_made(folder, change, said):
    encoder = build_encoder(small_config(10, 16))
    state = {name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}
    config = encoder.config.to_json() | change
    metadata = {"encoder": json.dumps(config)}
    save_file({**state, "mean_code": encoder.mean_code}, folder / "preim3d.safetensors", metadata)
    with pytest.raises(ModelError, match=said):
        load_encoder("small", "preim3d")


def test_a_file_without_sizes_is_refused(folder):
    save_file({"mean_code": torch.zeros(10, 16)}, folder / "preim3d.safetensors")
    with pytest.raises(ModelError, match="not valid JSON"):
        load_encoder("small", "preim3d")


def test_an_encoder_of_another_model_is_refused(demo):
    space = demo.generator.code_space
    check_encoder(small_config(space.num_ws, space.w_dim), demo)
    with pytest.raises(ModelError, match="gives 14 codes of 512"):
        check_encoder(small_config(14, 512), demo)
