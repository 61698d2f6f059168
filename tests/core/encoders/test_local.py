"""The networks of E3DGE's local branch against numbers of the public code, and what they read together."""

import json
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch

from inv3d.core.encoders.alignment import ResidualAligner
from inv3d.core.encoders.hourglass import HourGlassEncoder
from inv3d.core.encoders.local import LocalBranch, LocalConfig, residual_of, small_local
from tests.core.formula import filled, image

DATA = Path(__file__).parents[2] / "data" / "encoders"
REFERENCES = np.load(DATA / "references_e3dge.npz")
PUBLIC = LocalConfig()
Network = TypeVar("Network", bound=torch.nn.Module)
_UNUSED = (".bn4.", "downsample_channel_conv.", "local_feat_to_tex_modulations_linear.")
"""Public weights that are kept twice, that no code uses, or that DetailFilm has in another shape."""


def reference(name: str) -> torch.Tensor:
    return torch.from_numpy(REFERENCES[name]).float()


def public_encoder() -> HourGlassEncoder:
    return HourGlassEncoder(PUBLIC.stem, PUBLIC.widths, PUBLIC.stacks, PUBLIC.depth, PUBLIC.groups)


def with_formula(network: Network) -> Network:
    state = network.state_dict()
    network.load_state_dict({name: filled(name, tuple(tensor.shape)) for name, tensor in state.items()})
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("make", "name"),
    [(public_encoder, "netLocal_HGPIFuNetGANResidual"), (lambda: ResidualAligner(PUBLIC.aligner_widths), "ResidualAligner_batch")],
)
def test_names_and_shapes_are_those_of_the_public_weights(make, name):
    with torch.device("meta"):
        own = {key: list(tensor.shape) for key, tensor in make().state_dict().items()}
    public = json.loads((DATA / "state_dicts_e3dge.json").read_text())[name]
    assert own == {key: shape for key, shape in public.items() if not any(part in f".{key}" or key.startswith(part) for part in _UNUSED)}


def test_the_hourglass_finds_what_the_public_code_finds():
    residual, depth = image("res", 1, 3, 256, 256), image("dep", 1, 1, 256, 256) * 0.05 + 1.0
    found = with_formula(public_encoder()).outputs(residual, depth)[-1][:, ::16, ::8, ::8]
    expected = reference("E1/stack0_c16_stride8")
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))


def test_residuals_are_aligned_as_by_the_public_code():
    found = with_formula(ResidualAligner(PUBLIC.aligner_widths))(image("aligner_in", 1, 6, 256, 256))
    expected = reference("aligner/out_stride8_off3")
    assert torch.allclose(found[:, :, 3::8, 3::8], expected, atol=1e-4 * float(expected.abs().max()))


def small(decoded: int) -> LocalBranch:
    torch.manual_seed(0)
    return LocalBranch(small_local(decoded)).eval().requires_grad_(False)


def test_the_small_branch_fits_into_a_megabyte_of_halves():
    assert 2 * sum(p.numel() for p in small(32).parameters()) < 1_000_000


def test_residuals_are_what_the_picture_has_more():
    picture = torch.rand(1, 3, 16, 16)
    assert torch.allclose(residual_of(picture, torch.full((1, 3, 8, 8), 0.25)), picture - 0.25)


def test_an_untrained_branch_leaves_the_render_as_it_was(demo):
    generator = demo.generator
    codes = generator.code_space.repeat(demo.mean_code[None])
    camera = demo.info.camera(torch.tensor([0.2]), torch.zeros(1))
    branch = small(generator.decoded_features)
    detail = branch.detail(generator, generator.scene(codes), torch.rand(1, 3, 64, 64), camera, [camera])
    assert detail.seen.residual.shape == (1, 3, 64, 64) and detail.seen.features.shape == (1, 32, 32, 32)
    assert len(detail.aligned) == 1 and detail.aligned[0].residual.shape == (1, 3, 64, 64)
    plain, detailed = (generator.render(generator.scene(codes, each, guide_cells=20), camera, 16) for each in (None, detail))
    assert torch.equal(plain.image, detailed.image)
