"""The terms of the objective as the paper writes them (Barthel et al. 2024, Eq. 3, 5 and 6), and one of our own.

Where the paper sums over views, pixels or entries of a code, these are means (see `FitSettings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.bundle import Identity, Perceptual
from inv3d.core.inversion.features import Faces
from inv3d.core.inversion.loop import Losses
from inv3d.core.inversion.settings import FitSettings
from inv3d.core.networks.perceptual import Features


@dataclass(frozen=True)
class Target:
    """What whole images are compared with: `images` [B,3,R,R], what the networks see in them, and their `faces`, if these count."""

    images: Tensor
    features: Features
    people: Tensor
    faces: Faces | None = None

    @staticmethod
    @torch.no_grad()
    def of(images: Tensor, perceptual: Perceptual, identity: Identity, faces: bool = False) -> Target:
        """The target of `images`, with the points of their `faces` if asked for."""
        return Target(images, perceptual.features(images), identity(images), Faces.of(images) if faces else None)

    @staticmethod
    def joined(parts: Sequence[Target]) -> Target:
        """The targets of several batches as one."""
        features = tuple(torch.cat(each) for each in zip(*(part.features for part in parts), strict=True))
        images, people = (torch.cat(each) for each in zip(*((part.images, part.people) for part in parts), strict=True))
        faces = [part.faces for part in parts if part.faces is not None]
        return Target(images, features, people, Faces.joined(faces) if faces else None)

    def __getitem__(self, rows: Tensor) -> Target:
        faces = None if self.faces is None else self.faces[rows]
        return Target(self.images[rows], tuple(each[rows] for each in self.features), self.people[rows], faces)

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return sum(each.numel() * each.element_size() for each in (self.images, *self.features, self.people))


def reconstruction(
    image: Tensor, target: Target, weights: Tensor, perceptual: Perceptual, identity: Identity, settings: FitSettings
) -> Losses:
    """Eq. 3 without its prior: perceptual, pixel and identity terms between whole images [B,3,R,R] and their targets,
    summed over the images with `weights` [B]; that of the faces' points if the target has them; and e4e's similarity term if
    the settings weigh it."""
    unlike = 1.0 - (identity(image) * target.people).sum(-1)
    near = perceptual.between(perceptual.features(image), target.features)
    losses = {
        "perceptual": settings.perceptual * (weights * near).sum(),
        "identity": settings.identity * (weights * unlike).sum(),
        **pixel_terms(image - target.images, weights, settings),
    }
    if target.faces is not None:
        losses["features"] = settings.features * (weights * target.faces.apart(image)).sum()
    if settings.similarity:
        unlike = 1.0 - perceptual.similarity(image, target.images)
        losses["similarity"] = settings.similarity * (weights * unlike).sum()
    return losses


def pixel_terms(error: Tensor, weights: Tensor, settings: FitSettings) -> Losses:
    """The pixel term of Eq. 3, and its absolute twin if the settings weigh it, from errors [B,...] of any number of
    pixels: means over each image, summed over the images with `weights` [B]."""
    losses = {"pixel": settings.pixel * (weights * error.square().flatten(1).mean(1)).sum()}
    if settings.absolute:
        losses["absolute"] = settings.absolute * (weights * error.abs().flatten(1).mean(1)).sum()
    return losses


def edge_error(error: Tensor) -> Tensor:
    """Mean absolute difference [B] between neighbouring pixels of errors [B,C,H,W]: how far a picture's edges are from those of its
    target, whatever the colours of the areas between them."""
    across, down = error.diff(dim=-1)[..., :-1, :], error.diff(dim=-2)[..., :-1]
    return (across.abs() + down.abs()).flatten(1).mean(1) / 2.0


def coverage(alpha: Tensor, mattes: Tensor, weights: Tensor, counts: Tensor | None = None) -> Tensor:
    """Mean absolute difference [] between rendered coverage [B,...] and mattes [B,...], where it `counts` [B,...], summed over
    the images with `weights` [B]: what the head does not cover stays empty."""
    difference = (alpha - mattes).abs()
    return (weights * (difference if counts is None else counts * difference).flatten(1).mean(1)).sum()


def latent_distance(codes: Tensor, anchor: Tensor) -> Tensor:
    """Mean squared difference [] of `codes` [M,num_ws,w_dim] to the `anchor` [1,num_ws,w_dim]: Eq. 5, whose anchor is the
    single code that all began from; and the prior L_r of Eq. 3, whose anchor is the mean code."""
    return (codes - anchor).square().mean()


def depth_agreement(own: Tensor, others: Sequence[Tensor], codes: int) -> Tensor:
    """Eq. 6 for one view: mean squared difference [] between the depth map `own` [...] of the view's code and the mean
    of the maps of all `codes` codes from that view.

    `others` are the maps of the other codes, or of some of them drawn at random, which then stand for all the others.
    The gradient reaches `own` alone: the view's code is drawn to the mean, and the other codes stay where they are (in
    their own views they are drawn in turn). It is linear in the mean, so drawing others leaves its expectation as it is.
    """
    rest = torch.stack([depth.detach() for depth in others]).mean(0)
    mean = torch.lerp(rest, own, 1.0 / codes)
    return (own - mean).square().mean()
