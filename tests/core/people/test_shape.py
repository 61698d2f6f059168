import torch

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
