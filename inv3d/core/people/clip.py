"""Head-turn clips of people: the lamps stay in the room while the head turns, and the face moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import look_at
from inv3d.core.people import backdrop as rooms
from inv3d.core.people.expression import EXPRESSION_NAMES
from inv3d.core.people.light import harmonics
from inv3d.core.people.parameters import (
    BACKDROP_DIM,
    EXPRESSION_DIM,
    IDENTITY_DIM,
    LIGHT_DIM,
    PARAMETER_NAMES,
    people_parameters,
)
from inv3d.core.people.renderer import PeopleRender, PeopleRenderer
from inv3d.core.turn import Turn

_KEY = [PARAMETER_NAMES.index(f"key_{axis}") for axis in "xyz"]
_ENVIRONMENT = [PARAMETER_NAMES.index(f"sh_{i}_{channel}") for i in range(9) for channel in "rgb"]


def turned(parameters: Tensor, rotation: Tensor) -> Tensor:
    """The person [1,K] in light that is turned by `rotation` [3,3]: what shone from d shines from `rotation` d."""
    lit = parameters.clone()
    lit[:, _KEY] = parameters[:, _KEY] @ rotation.T
    # nine harmonics are closed under rotation: their values at enough directions determine them
    directions = F.normalize(torch.randn(60, 3, generator=torch.Generator().manual_seed(0)), dim=1).to(parameters)
    environment = parameters[0, _ENVIRONMENT].reshape(9, 3)
    values = harmonics(directions @ rotation) @ environment
    lit[0, _ENVIRONMENT] = torch.linalg.lstsq(harmonics(directions), values).solution.flatten()
    return lit


@dataclass(frozen=True)
class PersonTurn(Turn):
    """A person who turns the head while talking; with `lamp` "room" the light stays where it is in the room, with "head"
    it turns along. `talking` scales the movements of the face; `cluttered` shows a room out of focus behind."""

    lamp: Literal["room", "head"] = "room"
    talking: float = 1.0
    cluttered: bool = False

    def latents(self, frame: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Identity, expression, light and backdrop of a frame, standard normal [1,...]."""
        random = torch.Generator().manual_seed(self.seed)
        identity, light, backdrop, rest = (
            torch.randn(1, size, generator=random) for size in (IDENTITY_DIM, LIGHT_DIM, BACKDROP_DIM, EXPRESSION_DIM)
        )
        t = self.phase(frame)

        def wave(cycles: float, shift: float = 0.0) -> float:
            return math.sin(2.0 * math.pi * (cycles * t + shift))

        motion = {
            "smile": 0.7 * wave(0.9, 0.1),
            "jaw": 0.7 + 1.1 * wave(4.0) * wave(0.5),
            "pucker": 1.2 * wave(3.1, 0.3) * wave(0.5) - 0.5,
            "stretch": 0.9 * wave(2.6, 0.6) - 0.3,
            "brows_up": 0.9 * wave(1.3, 0.7),
            "blink": 3.5 * math.exp(-(((t - 0.62) / 0.015) ** 2)) + 3.5 * math.exp(-(((t - 0.17) / 0.015) ** 2)),
            "gaze_x": 0.9 * wave(1.1, 0.2),
            "gaze_y": 0.5 * wave(1.7, 0.4),
            "sided": 0.5 * wave(1.5, 0.1),
        }
        moved = torch.tensor([[motion.get(name, 0.0) for name in EXPRESSION_NAMES]])
        return identity, 0.4 * rest + self.talking * moved, 0.8 * light, backdrop

    def parameters(self, frame: int) -> Tensor:
        """All parameters of a frame, [1,K]."""
        own = people_parameters(*self.latents(frame))
        if self.lamp == "head":
            return own
        # the camera turns around the head, so the room turns with the camera
        front = look_at(torch.zeros(1), torch.zeros(1)).cam2world[0, :3, :3]
        return turned(own, self.aligned_camera(frame).cam2world[0, :3, :3] @ front.T)

    def _behind(self, height: int, width: int, cells: Tensor) -> Tensor:
        """What stands behind, [1,3,H,W] in [0,1]; `cells` [H] are the heights in the picture."""
        if self.cluttered:
            return rooms.clutter(1, (height, width), torch.Generator().manual_seed(self.seed))
        rows = rooms.backdrop(cells[None], people_parameters(*self.latents(0)))
        return rows.transpose(1, 2)[..., None].expand(-1, -1, -1, width)

    def render(self, renderer: PeopleRenderer, frame: int, supersample: int = 2) -> PeopleRender:
        """The whole frame, [1,3,height,width]."""
        behind = self._behind(self.height, self.width, torch.linspace(1.0, -1.0, self.height))
        camera = self.frame_camera(frame)
        return renderer.render(self.parameters(frame), camera, (self.height, self.width), supersample, behind)

    def render_aligned(self, renderer: PeopleRenderer, frame: int, resolution: int) -> PeopleRender:
        """The frame as the generator should see it, with exact depth."""
        return renderer.render(self.parameters(frame), self.aligned_camera(frame), resolution)
