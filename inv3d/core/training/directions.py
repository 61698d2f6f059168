"""Directions of the embedded model: its codes w are nearly linear in the parameters of the people it learned from, so that
a regression on them tells what moves with an attribute when all others are held fixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from inv3d.core.editing.directions import Direction, Directions
from inv3d.core.editing.traits import Trait
from inv3d.core.generator import Generator
from inv3d.core.people.parameters import Parameters
from inv3d.core.people.store import people_basis
from inv3d.core.training.attributes import (
    PEOPLE_ATTRIBUTES,
    PEOPLE_TRAITS,
    Attribute,
    SharedTrait,
    measured_attributes,
)
from inv3d.core.training.source import PEOPLE

SAMPLES = 30_000
_SEED = 71
_BATCH = 1000
_RIDGE = 1e-3
"""Of both regressions, per sample: parameters may be bound to others, and codes hardly leave a subspace."""
_EXTREMES = (0.002, 0.998)
"""Quantiles that count as the ends of what the model's own heads show."""


def all_attributes() -> tuple[Attribute, ...]:
    """The attributes of drawn people. Raises UsageError without the extra `train`."""
    return *PEOPLE_ATTRIBUTES, *measured_attributes(people_basis())


def people_directions(generator: Generator) -> Directions:
    """The directions of a model of people. Raises UsageError without the extra `train`."""
    return find_directions(generator, all_attributes(), shared=PEOPLE_TRAITS)


@torch.no_grad()
def find_directions(
    generator: Generator,
    attributes: Sequence[Attribute],
    samples: int = SAMPLES,
    shared: Sequence[SharedTrait] = (),
) -> Directions:
    """Directions of `attributes`, and the traits that heads can share, from the codes and the parameters of `samples` drawn people; nothing is rendered."""
    z = torch.randn(samples, generator.z_dim, generator=torch.Generator().manual_seed(_SEED))
    codes = torch.cat([generator.mapping(part.to(generator.device))[:, 0].cpu() for part in z.split(_BATCH)])
    parameters = PEOPLE.parameters(z[:, : PEOPLE.identity_dim], z[:, PEOPLE.identity_dim :])
    groups: dict[object, Group] = {}
    found = []
    for attribute in attributes:
        if attribute.among not in groups:
            chosen = attribute.among(Parameters(parameters))[:, 0]
            groups[attribute.among] = Group(codes[chosen], parameters[chosen])
        found.append(_direction(attribute, groups[attribute.among]))
    everyone = Group(codes, parameters)
    return Directions(tuple(found), tuple(part for trait in shared for part in _traits(trait, everyone)))


class Group:
    """Some people: `mean` codes [D] and the `parameters` [N,K] with their deviations `scale` [K], and all products of codes
    and standardised parameters, from which every regression follows: `products` [D+K,D+K]."""

    def __init__(self, codes: Tensor, parameters: Tensor) -> None:
        self.parameters, self.scale = parameters, parameters.std(0) + 1e-6
        self.mean, self.dims = codes.mean(0), codes.shape[1]
        rows = torch.cat([codes - self.mean, (parameters - parameters.mean(0)) / self.scale], 1)
        self.products = (rows.T @ rows / len(rows)).double()

    def row(self, attribute: Attribute) -> Tensor:
        """The attribute, in its deviations, as a sum [D+K] of codes and standardised parameters."""
        deviation = attribute.values(self.parameters).std() + 1e-6
        own = torch.zeros(len(self.products), dtype=torch.float64)
        own[self.dims :] = (attribute.weights * self.scale / deviation).double()
        return own


def attribute_step(attribute: Attribute, group: Group, ridge: float = _RIDGE) -> Tensor:
    """How the codes of a group change [D] with an attribute by one of its deviations, when all parameters that do not move
    with it are held fixed."""
    moved, dims, count = attribute.moved, group.dims, group.parameters.shape[1]
    rows = torch.eye(dims + count, dtype=torch.float64)
    # the attribute's own row takes the place of the parameters that move with it
    held = torch.cat([group.row(attribute)[None], rows[[dims + i for i in range(count) if i not in moved]]])
    return _regression(group.products, held, rows[:dims], ridge)[0]


def _direction(attribute: Attribute, group: Group) -> Direction:
    values = attribute.values(group.parameters)
    middle, deviation = values.mean(), values.std() + 1e-6
    step = attribute_step(attribute, group)
    coded = torch.eye(len(group.products), dtype=torch.float64)[: group.dims]
    normal = _regression(group.products, coded, group.row(attribute)[None])[:, 0]
    low, high = torch.quantile((values - middle) / deviation, torch.tensor(_EXTREMES)).tolist()
    shape = {i < PEOPLE.shapes for i in attribute.moved}
    span = None if len(shape) > 1 else "shape" if True in shape else "looks"
    return Direction(attribute.name, attribute.about, span, step, normal, -float(group.mean @ normal), low, high)


def _traits(trait: SharedTrait, group: Group) -> Iterator[Trait]:
    """The parts of a trait: that in the span of the shape, and that in the span of the looks."""
    dims, rows = group.dims, torch.eye(len(group.products), dtype=torch.float64)
    steps = _regression(group.products, rows[dims:], rows[:dims])
    normals = _regression(group.products, rows[:dims], rows[dims:])
    for span, columns in (("shape", range(PEOPLE.shapes)), ("looks", range(PEOPLE.shapes, len(steps)))):
        if own := [i for i in columns if i in trait.columns]:
            yield Trait(trait.name, trait.about, span, steps[own], normals[:, own].T.contiguous())


def _regression(products: Tensor, x: Tensor, y: Tensor, ridge: float = _RIDGE) -> Tensor:
    """Slopes [P,Q] of quantities `y` [Q,M] over quantities `x` [P,M], both sums of M others with these `products` [M,M]:
    ridge regression."""
    own = x @ products @ x.T + ridge * torch.eye(len(x), dtype=x.dtype)
    return torch.linalg.solve(own, x @ products @ y.T).float()
