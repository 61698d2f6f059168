"""The inversion manifold of an encoder (Li et al. 2023, PREIM3D, 3.4): what moves with an attribute among the codes that it
reads off drawn people, whose parameters are known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from inv3d.core.codespace import CodeSpace
from inv3d.core.editing.directions import Direction, Directions
from inv3d.core.encoders.pyramid import Encoder
from inv3d.core.training import dataset
from inv3d.core.training.attributes import Attribute
from inv3d.core.training.directions import Group, attribute_step
from inv3d.core.training.pictures import MOST_YAW
from inv3d.core.training.source import PEOPLE
from inv3d.core.views import from_bytes

_BATCH = 16
_RIDGE = 0.3
"""Per picture: of 0.1, 0.3, 1 and 3 it explains most of the codes of other people, when there are a few hundred."""
_LEAST = 0.5
"""Cosine of a direction to the generator's own below which the encoder hardly sees its attribute: as large an effect would
take a step that is mostly something else."""


@torch.no_grad()
def codes_of_pictures(encoder: Encoder, folder: Path) -> tuple[Tensor, Tensor]:
    """The codes [N,num_ws,w_dim] that an encoder reads off the pictures in a `folder` of training data, and the parameters
    [N,K] of the people on them. Raises FileNotFoundError if there are none."""
    shards = dataset.load_images(folder)
    views = shards["yaw"].shape[1]
    rows = (shards["yaw"].flatten().abs() <= MOST_YAW).nonzero()[:, 0]
    images, expression = shards["image"].flatten(0, 1), shards["expression"].flatten(0, 1)
    codes = torch.cat([encoder(from_bytes(images[some])) for some in rows.split(_BATCH)])
    return codes, PEOPLE.parameters(shards["z"][rows // views], expression[rows])


def manifold_directions(
    own: Directions, attributes: Sequence[Attribute], codes: Tensor, parameters: Tensor, space: CodeSpace
) -> Directions:
    """The `own` directions of a generator, found again among `codes` [N,num_ws,w_dim] of people with these `parameters`
    [N,K], and scaled so that a step changes the attribute as much as one of the generator's own. Those that are hardly seen
    among the codes are left out."""
    groups: dict[str | None, Group] = {}
    found = []
    for attribute in attributes:
        direction = own[attribute.name]
        if direction.span not in groups:
            first, last = space.layers(direction.span)
            groups[direction.span] = Group(codes[:, first : last + 1].mean(1), parameters)
        step = attribute_step(attribute, groups[direction.span], _RIDGE)
        if float(torch.cosine_similarity(step, direction.step, 0)) > _LEAST:
            found.append(_scaled(direction, step))
    return Directions(tuple(found))


def _scaled(direction: Direction, step: Tensor) -> Direction:
    """The direction with another step of the same effect, so far as that is along its own."""
    along = float(step @ direction.step) / float(direction.step.square().sum())
    return dataclasses.replace(direction, step=step / along)
