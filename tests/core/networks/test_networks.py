import pytest
import torch

from inv3d.core.networks.perceptual import distortions, typical_distance
from tests.people import portraits


def test_identity_knows_a_head_from_the_side(demo):
    """Heads never used in training; the picture from the side is nearest to the same head's front."""
    seeds = (711, 712, 713, 714)
    front, side = (portraits(*(f"{name}-{seed}" for seed in seeds)) for name in ("front", "side"))
    scores = demo.identity(front) @ demo.identity(side).t()
    assert scores.argmax(1).tolist() == [0, 1, 2, 3]
    assert torch.allclose(demo.identity(front).norm(dim=-1), torch.ones(4), atol=1e-4)


def test_perceptual_distance_grows_with_the_distortion(demo):
    image = portraits("front-715", "side-716")
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(image.shape, generator=random)
    distances = [
        float(demo.perceptual.distance(image, image + strength * noise).mean()) for strength in (0.0, 0.05, 0.2)
    ]
    assert distances[0] == 0.0 and distances[0] < distances[1] < distances[2]
    assert torch.allclose(demo.perceptual.distance(image, -image), demo.perceptual.distance(-image, image))


def test_what_pictures_show_as_a_whole_is_alike_for_one_picture_moved_a_little(demo):
    one, other = (portraits(name) for name in ("front-715", "side-716"))
    same, moved, different = (demo.perceptual.similarity(one, each) for each in (one, one.roll(2, 3), other))
    assert float(same) == pytest.approx(1.0, abs=1e-4) and float(same) > float(moved) > float(different)


def test_the_typical_distance_is_a_geometric_mean():
    """Twice the distances are twice as typical, and a kind of distortion that a network hardly sees counts as others."""
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    kinds = len(list(distortions(image)))
    constant = typical_distance(lambda a, b: torch.full((2,), 0.3), image)
    assert constant == pytest.approx(0.3)
    values = iter([0.003] + [0.3] * (kinds - 1))
    mixed = typical_distance(lambda a, b: torch.full((2,), next(values)), image)
    assert mixed == pytest.approx(0.3 * 0.01 ** (1 / kinds))
    assert all(not torch.equal(image, other) and other.shape == image.shape for other in distortions(image))


def test_perceptual_distance_has_gradients(demo):
    image = portraits("front-715").requires_grad_()
    demo.perceptual.distance(image, image.detach() + 0.1).sum().backward()
    assert image.grad is not None and torch.isfinite(image.grad).all() and image.grad.abs().sum() > 0
