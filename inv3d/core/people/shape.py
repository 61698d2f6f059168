"""The surface of a person: the basis of heads, blended for body, local changes and expression, in world coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inv3d.core.people.basis import ASYMMETRIES, MASKS, SHAPES, Basis
from inv3d.core.people.expression import EXPRESSION_NAMES, action_weights
from inv3d.core.people.parameters import Parameters

EYE_HEIGHT, EYE_DEPTH = 0.002, 0.118
"""World coordinates y and z of the point midway between the centres of the eyeballs."""
_EYE_SPACING, _MOUTH_DROP = 0.1245, 0.134
_MOUTH_CENTRE = (0.0, -0.0665, 0.028)
_LIPS, _EARS = MASKS.index("lips"), MASKS.index("ears")


@dataclass(frozen=True)
class Surface:
    """One person's skin, teeth and tongue: `vertices` [V,3] in world units; `eyes` [2,3] the centres of the eyeballs
    (left, right) with their `eye_radius`; `scale` is world units per metre, `mouth` [3] the middle of the lips, `width`
    the breadth of the head at the height of the eyes, without the ears."""

    vertices: Tensor
    eyes: Tensor
    eye_radius: float
    scale: float
    mouth: Tensor
    width: float


def _between(position: Tensor, count: int) -> Tensor:
    """Weights [N,count] of linear interpolation between `count` anchors at 0, 1, 2, ... for `position` [N]."""
    anchors = torch.arange(count, dtype=position.dtype, device=position.device)
    return (1.0 - (position.clamp(0.0, count - 1.0)[:, None] - anchors).abs()).clamp(min=0.0)


class Shapes:
    """Evaluates the basis; a person takes some milliseconds."""

    def __init__(self, basis: Basis) -> None:
        self.basis = basis
        count = len(basis.template)
        macro = [basis.universal.reshape(-1, count, 3), basis.ancestry.reshape(-1, count, 3)]
        self._identity = torch.cat([*macro, basis.local, basis.asymmetry]).reshape(-1, count * 3)
        self._actions = basis.actions.reshape(len(basis.actions), -1)
        mouth = (basis.template - basis.template.new_tensor(_MOUTH_CENTRE)).norm(dim=1)
        self._bare = basis.masks[:, _EARS] < 0.1
        self._lips = torch.nonzero((basis.masks[:, _LIPS] > 0.5) & (mouth < 0.035))[:, 0]

    def neutral(self, parameters: Tensor) -> Tensor:
        """Vertices [V,3] in metres of one person [1,K] whose face rests."""
        p = Parameters(parameters)
        sex, age = _between(p.sex[:, 0], 2), _between(p.age[:, 0], 4)
        weight = _between(p.weight[:, 0], 3)
        ancestry = p.columns(("african", "asian", "caucasian"))
        universal = torch.einsum("ns,na,nw->nsaw", sex, age, weight).flatten(1)
        by_origin = torch.einsum("no,ns,na->nosa", ancestry, sex, age).flatten(1)
        names = tuple(f"shape_{i}" for i in range(SHAPES)) + tuple(f"side_{i}" for i in range(ASYMMETRIES))
        coefficients = torch.cat([universal, by_origin, p.columns(names)], 1)
        return self.basis.template + (coefficients @ self._identity).reshape(-1, 3)

    def surface(self, parameters: Tensor) -> Surface:
        """The surface of one person [1,K], with expression."""
        neutral = self.neutral(parameters)
        weights = action_weights(Parameters(parameters).columns(EXPRESSION_NAMES))
        vertices = neutral + (weights @ self._actions).reshape(-1, 3)
        # the frame of the head comes from the resting face, so that it does not move with the expression
        left, right = (neutral[one.long()].mean(0) for one in self.basis.eyes)
        middle, spacing = (left + right) / 2.0, float((left - right).norm())
        mouth = neutral[self._lips].mean(0)
        scale = 0.5 * (_EYE_SPACING / spacing + _MOUTH_DROP / float(middle[1] - mouth[1]))
        origin = middle - middle.new_tensor([0.0, EYE_HEIGHT, EYE_DEPTH]) / scale
        world = (vertices - origin) * scale
        eyes = torch.stack([left, right])
        radius = float((neutral[self.basis.eyes[0].long()] - left).norm(dim=1).mean()) * scale
        sides = world[(world[:, 1].abs() < 0.05) & self._bare, 0]
        width = float(sides.max() - sides.min())
        return Surface(world, (eyes - origin) * scale, radius, scale, world[self._lips].mean(0), width)
