"""Which frames a point of a head takes its colour from, and by what shares (Buehler et al. 2001, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

BLENDED = 2
"""Frames that share a point; more would blur what the geometry places wrongly."""
PENALTY = 3.0
"""Radians by which a frame that does not see a point counts as further away."""
_SHARPEST = 0.02  # radians within which all frames are equally near


@dataclass(frozen=True)
class Told:
    """What K frames, the `rows` of their lumigraph, tell about P points: the `places` [K,1,P,2] of these in them, from -1 to 1,
    how far aside the frames count (`angles` [K,P]), how far to trust them (`weights` [K,P]), `colours` and coverage [K,4,P]."""

    rows: list[int]
    places: Tensor
    angles: Tensor
    weights: Tensor
    colours: Tensor

    def __getitem__(self, points: Tensor) -> Told:
        return Told(
            self.rows, self.places[:, :, points], self.angles[:, points], self.weights[:, points], self.colours[..., points]
        )

    @property
    def seen(self) -> tuple[Tensor, Tensor, Tensor]:
        """What `blended` asks for."""
        return self.angles, self.weights, self.colours


def blended(angles: Tensor, weights: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest frames' colours [4,P] and weights [P], of all frames' angles and weights [K,P] and colours [K,4,P].

    A frame's share falls to zero where the next one becomes as near, so that nothing jumps (Buehler et al., section 4).
    """
    count = min(BLENDED, len(angles))
    near, which = angles.topk(min(count + 1, len(angles)), 0, largest=False)
    limit = near[count] if len(near) > count else near[-1] + PENALTY
    near, which = near[:count], which[:count]
    share = shares(near, limit)
    seen = weights.gather(0, which) * share
    colour = (seen[:, None] * colours.gather(0, which[:, None].expand(-1, 4, -1))).sum(0)
    total = seen.sum(0)
    return colour / total.clamp(min=1e-6), total


def shares(near: Tensor, limit: Tensor) -> Tensor:
    """Shares [K,P] of frames that are so `near` [K,P], of which one as far as the `limit` [P] has none."""
    share = (1.0 - near / limit).clamp(min=0.0) / (near + _SHARPEST) + 1e-6
    return share / share.sum(0)
