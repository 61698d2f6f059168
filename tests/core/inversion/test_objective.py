"""Every term against values and gradients worked out by hand."""

import dataclasses

import pytest
import torch

from inv3d.core.inversion.objective import (
    Target,
    coverage,
    depth_agreement,
    edge_error,
    latent_distance,
    pixel_terms,
    reconstruction,
)
from inv3d.core.inversion.settings import FitSettings
from inv3d.core.networks.perceptual import Features

SETTINGS = FitSettings(perceptual=2.0, pixel=3.0, identity=5.0)


class Fixed:
    """A network that finds the same numbers for every pair of images; its gradient is one per pixel."""

    def __init__(self, values: list[float]) -> None:
        self.values = torch.tensor(values)

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        return (self.values + (image - image.detach()).flatten(1).sum(1))[:, None]

    def features(self, images: torch.Tensor) -> Features:
        return (self(images)[:, 0],)

    def between(self, a: Features, b: Features) -> torch.Tensor:
        return a[0]

    def distance(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.between(self.features(a), self.features(b))

    def similarity(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self(a)[:, 0]


def target(images: torch.Tensor) -> Target:
    """Images of people whose similarity is what a `Fixed` says."""
    return Target(images, (), torch.ones(len(images), 1))


def test_edges_differ_where_neighbours_err_apart():
    error = torch.zeros(3, 1, 3, 3)
    error[1] = 0.7  # another colour is no edge
    error[2, 0, 1, 1] = 4.0  # it has a neighbour on each side, and 4 pixels have neighbours to the right and below
    assert edge_error(error).tolist() == [0.0, 0.0, 2.0]


def test_reconstruction_is_equation_3():
    # two images of 2 x 2 pixels: errors of 0.5 everywhere, and of 1 everywhere
    wanted = torch.zeros(2, 3, 2, 2)
    image = torch.cat([torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), -1.0)]).requires_grad_()
    losses = reconstruction(image, target(wanted), torch.tensor([0.25, 0.75]), Fixed([0.4, 0.8]), Fixed([0.9, 0.7]), SETTINGS)
    assert set(losses) == {"perceptual", "pixel", "identity"}
    assert losses["perceptual"].item() == pytest.approx(2.0 * (0.25 * 0.4 + 0.75 * 0.8))
    assert losses["pixel"].item() == pytest.approx(3.0 * (0.25 * 0.25 + 0.75 * 1.0))
    assert losses["identity"].item() == pytest.approx(5.0 * (0.25 * 0.1 + 0.75 * 0.3))


def test_unlike_people_are_drawn_together_and_unlike_pictures_too():
    image = torch.full((1, 3, 2, 2), 0.5, requires_grad=True)
    losses = reconstruction(image, target(torch.zeros(1, 3, 2, 2)), torch.ones(1), Fixed([0.4]), Fixed([0.9]), SETTINGS)
    # a step down the gradient raises the similarity, and lowers the distance and the error
    for name, expected in (("identity", -5.0), ("perceptual", 2.0), ("pixel", 3.0 * 2.0 * 0.5 / 12)):
        (gradient,) = torch.autograd.grad(losses[name], image, retain_graph=True)
        assert torch.allclose(gradient, torch.full_like(image, expected)), name


def test_pixel_terms_are_means_over_each_image():
    error = torch.tensor([[1.0, -1.0, 3.0, 1.0], [2.0, 0.0, 0.0, 0.0]])
    both = dataclasses.replace(SETTINGS, absolute=7.0)
    losses = pixel_terms(error, torch.tensor([1.0, 0.5]), both)
    assert losses["pixel"].item() == pytest.approx(3.0 * (12 / 4 + 0.5 * 4 / 4))
    assert losses["absolute"].item() == pytest.approx(7.0 * (6 / 4 + 0.5 * 2 / 4))
    assert "absolute" not in pixel_terms(error, torch.ones(2), SETTINGS)


def test_latent_distance_is_equation_5():
    anchor = torch.tensor([[[1.0, 2.0]]])
    codes = torch.tensor([[[1.0, 4.0]], [[0.0, 2.0]]], requires_grad=True)
    distance = latent_distance(codes, anchor)
    assert distance.item() == pytest.approx((0 + 4 + 1 + 0) / 4)
    (gradient,) = torch.autograd.grad(distance, codes)
    assert torch.allclose(gradient, torch.tensor([[[0.0, 1.0]], [[-0.5, 0.0]]]))


def test_depth_agreement_is_equation_6():
    own = torch.tensor([1.0, 2.0], requires_grad=True)
    others = [torch.tensor([4.0, 2.0], requires_grad=True), torch.tensor([4.0, 5.0], requires_grad=True)]
    agreement = depth_agreement(own, others, codes=3)
    # the mean of the three maps is [3, 3]: errors of -2 and -1
    assert agreement.item() == pytest.approx((4 + 1) / 2)
    gradient, *unmoved = torch.autograd.grad(agreement, [own, *others], allow_unused=True)
    # d/d own of (own - mean)^2 / 2 with d mean / d own = 1/3
    assert torch.allclose(gradient, torch.tensor([-2.0, -1.0]) * (2.0 / 3.0))
    assert unmoved == [None, None]  # the view's own code alone is drawn to the mean


def test_equal_depths_cost_nothing():
    depth = torch.tensor([2.5, 2.7])
    assert depth_agreement(depth, [depth, depth], codes=3).item() == 0.0


def test_codes_drawn_at_random_have_the_expected_gradient_of_all():
    own = torch.tensor([1.0], requires_grad=True)
    others = [torch.tensor([value]) for value in (2.0, 3.0, 7.0)]

    def gradient(chosen: list[torch.Tensor]) -> float:
        return torch.autograd.grad(depth_agreement(own, chosen, codes=4), own)[0].item()

    assert sum(gradient([other]) for other in others) / 3 == pytest.approx(gradient(others))


def test_coverage_is_a_mean_over_each_image():
    alpha = torch.tensor([[[0.5, 1.0]], [[0.0, 0.0]]], requires_grad=True)
    mattes = torch.tensor([[[1.0, 1.0]], [[0.0, 0.4]]])
    loss = coverage(alpha, mattes, torch.tensor([1.0, 0.5]))
    assert loss.item() == pytest.approx(0.5 / 2 + 0.5 * 0.4 / 2)
    (gradient,) = torch.autograd.grad(loss, alpha)
    # a step down the gradient covers what the matte covers
    assert torch.allclose(gradient, torch.tensor([[[-0.5, 0.0]], [[0.0, -0.25]]]))
