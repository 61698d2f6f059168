from dataclasses import replace

import torch

from inv3d.core.people.basis import MASKS
from inv3d.core.people.parameters import LATENT_DIM, PARAMETER_NAMES, people_parameters, split_latents
from inv3d.core.people.shape import EYE_DEPTH, EYE_HEIGHT, Shapes
from tests.core.people.standin import standin_basis


def test_the_head_does_not_move_with_its_expression() -> None:
    shapes = Shapes(standin_basis())
    z = torch.randn(1, LATENT_DIM, generator=torch.Generator().manual_seed(0))
    rest = people_parameters(*split_latents(z))
    smiling = rest.clone()
    smiling[:, PARAMETER_NAMES.index("smile")] = 0.8
    one, other = shapes.surface(rest), shapes.surface(smiling)
    assert one.scale == other.scale and torch.equal(one.eyes, other.eyes)
    assert not torch.equal(one.vertices, other.vertices)


def test_eyes_lie_where_the_cameras_expect_them() -> None:
    shapes = Shapes(standin_basis())
    for seed in range(5):
        z = torch.randn(1, LATENT_DIM, generator=torch.Generator().manual_seed(seed))
        eyes = shapes.surface(people_parameters(*split_latents(z))).eyes
        assert torch.allclose(eyes.mean(0)[1:], torch.tensor([EYE_HEIGHT, EYE_DEPTH]), atol=1e-5)
        assert abs(float((eyes[0] - eyes[1]).norm()) - 0.125) < 0.02


def test_the_width_of_a_head_leaves_out_the_ears() -> None:
    basis = standin_basis()
    z = torch.randn(1, LATENT_DIM, generator=torch.Generator().manual_seed(0))
    parameters = people_parameters(*split_latents(z))
    whole = Shapes(basis).surface(parameters)
    assert abs(whole.width - 2 * 0.075 * whole.scale) < 0.01
    outside = (basis.template[:, 0].abs() > 0.06) & (basis.template[:, 1].abs() < 0.05)
    masks = basis.masks.clone()
    masks[:, MASKS.index("ears")] = outside.float()
    assert Shapes(replace(basis, masks=masks)).surface(parameters).width < whole.width - 0.01
