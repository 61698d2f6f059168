"""The encoders against numbers of the public code, with weights that a formula fills."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inv3d.core.encoders.pyramid import EncoderConfig, build_encoder, small_config
from tests.core.formula import filled, image

DATA = Path(__file__).parents[2] / "data" / "encoders"
PUBLIC = {
    "pyramid": "GradualStyleEncoder",
    "offsets": "Encoder4Editing",
    "last-layer": "BackboneEncoderUsingLastLayerIntoWPlus",
}


@pytest.mark.parametrize(("kind", "name"), PUBLIC.items())
def test_names_and_shapes_are_those_of_the_public_weights(kind, name):
    with torch.device("meta"):
        own = {key: list(tensor.shape) for key, tensor in build_encoder(EncoderConfig(kind)).state_dict().items()}
    assert own == json.loads((DATA / "state_dicts_psp.json").read_text())[name]


@pytest.fixture(scope="module")
def references():
    arrays = np.load(DATA / "references_psp.npz")
    return lambda name: torch.from_numpy(arrays[name])


def codes(kind, weights):
    with torch.device("meta"):
        encoder = build_encoder(EncoderConfig(kind)).eval().requires_grad_(False)
    encoder.load_state_dict(weights(encoder.state_dict()), assign=True)
    encoder.mean_code = torch.zeros(14, 512)
    return encoder(image("input256", 1, 3, 256, 256))


def agree(found, expected):
    assert torch.allclose(found, expected, atol=1e-5 * float(expected.abs().max()))


def test_codes_of_the_pyramids_are_those_of_the_public_code(references):
    made = {}

    def weights(state):
        # both have the same names, and filling takes longer than encoding
        for name, tensor in state.items():
            if name not in made:
                made[name] = filled(name, tuple(tensor.shape), name.endswith("linear.weight"))
        return made

    agree(codes("pyramid", weights), references("GradualStyleEncoder/out"))
    agree(codes("offsets", weights), references("Encoder4Editing/Inference"))


def test_codes_of_the_last_layer_are_those_of_the_public_code(references):
    def weights(state):
        return {name: filled(name, tuple(t.shape), name == "linear.weight") for name, t in state.items()}

    agree(codes("last-layer", weights), references("BackboneEncoderUsingLastLayerIntoWPlus/out"))


def test_the_mean_code_is_added_and_images_of_any_size_are_taken():
    encoder = build_encoder(small_config(10, 128)).eval()
    picture = torch.rand(2, 3, 128, 128) * 2 - 1
    with torch.no_grad():
        plain = encoder(picture)
        encoder.mean_code.fill_(0.5)
        assert torch.allclose(encoder(picture), plain + 0.5)
        assert encoder(torch.rand(1, 3, 200, 200)).shape == (1, 10, 128)


@pytest.mark.parametrize(("kind", "level"), [("coarsest", 2), ("finest", 0)])
def test_all_codes_are_read_off_one_level(kind, level):
    encoder = build_encoder(replace(small_config(3, 16), kind=kind), pictures=2).eval()
    with torch.no_grad():
        levels = encoder.levels(torch.rand(1, 6, 128, 128))
        before = encoder.read(levels)
        levels[level] = levels[level] + torch.rand_like(levels[level])
        after = encoder.read(levels)
    assert before.shape == (1, 3, 16)
    assert all(not torch.allclose(before[:, row], after[:, row], atol=1e-4) for row in range(3))
    assert (kind == "coarsest") == (not hasattr(encoder, "latlayer1"))
