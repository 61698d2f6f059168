"""Draws docs/filming.png, the pictures of the page on filming a head: `python benchmarks/make_filming.py`.

Needs the extra `train`. The people are drawn by `inv3d/core/people`; nobody was photographed.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.camera import Camera, dollied, in_frame, look_at
from inv3d.core.people import backdrop as rooms
from inv3d.core.people.clip import PersonTurn
from inv3d.core.people.parameters import PARAMETER_NAMES
from inv3d.core.people.renderer import PeopleRenderer
from inv3d.core.people.store import people_basis

SEED, SIDE, CAPTION = 519, 240, 26
OUT = Path(__file__).parents[1] / "docs" / "filming.png"
FRONT = 50  # the frame of a turn of 101 that shows the front


def with_values(parameters: Tensor, **values: float) -> Tensor:
    """The person [1,K] with some parameters changed; those of a name that ends in _ are multiplied."""
    changed = parameters.clone()
    for name, value in values.items():
        if name.endswith("_"):
            rows = [i for i, other in enumerate(PARAMETER_NAMES) if other.startswith(name)]
            changed[:, rows] *= value
        else:
            changed[:, PARAMETER_NAMES.index(name)] = value
    return changed


def soft_light(parameters: Tensor) -> Tensor:
    """A window in front and white walls."""
    return with_values(
        parameters, key_x=0.35, key_y=0.45, key_z=0.82, key_size=0.45, key_r=0.45, key_g=0.43, key_b=0.41, exposure=0.95
    )


def main() -> None:
    renderer = PeopleRenderer(people_basis())
    turn = PersonTurn(SEED, frames=101, width=SIDE, height=SIDE, lamp="head", talking=0.0)
    person = soft_light(turn.parameters(FRONT))
    room = rooms.clutter(1, (SIDE, SIDE), torch.Generator().manual_seed(4))

    def shot(
        parameters: Tensor, yaw: float = 0.0, distance: float = 0.8, side: float = 150.0, x: float = 120.0
    ) -> Tensor:
        camera = dollied(look_at(torch.tensor([math.radians(yaw)]), torch.zeros(1)), torch.tensor([distance]))
        return renderer.render(parameters, framed(camera, side, x), SIDE, 3, room).image[0]

    def framed(camera: Camera, side: float, x: float) -> Camera:
        return in_frame(camera, (x, 115.0), side, SIDE, SIDE)

    grain = 0.10 * torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    lamp = with_values(
        person, key_x=0.95, key_y=0.3, key_z=0.1, key_size=0.02, key_r=2.4, key_g=2.2, key_b=2.0, sh_=0.25, exposure=0.8
    )
    moving = shot(person, 25)
    smear = torch.stack([moving.roll(k, 2) for k in range(-11, 12)]).mean(0)
    glasses = with_values(person, glasses=1.0, tint=0.9, glasses_shape=0.3)
    rows = [
        [(f"{abs(yaw)}° {'left' if yaw < 0 else 'right'}" if yaw else "front", shot(person, yaw)) for yaw in (-75, -45, 0, 45, 75)],
        [
            ("one hard lamp", shot(lamp, 20)),
            ("too dark: grain", 0.2 * (shot(person, 20) + 1.0) - 1.0 + grain),
            ("too close", shot(person, 10, distance=0.28)),
            ("turned too fast", smear),
            ("dark glasses", shot(glasses, 20)),
        ],
    ]  # fmt: skip
    sheet = Image.new("RGB", (5 * SIDE, len(rows) * (SIDE + CAPTION)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for i, row in enumerate(rows):
        for k, (words, image) in enumerate(row):
            picture = F.interpolate(image[None], (SIDE - 8, SIDE - 8), mode="area")[0]
            pixels = picture.add(1.0).mul(127.5).clamp(0, 255).byte().permute(1, 2, 0).numpy()
            left, top = k * SIDE + 4, i * (SIDE + CAPTION) + 4
            sheet.paste(Image.fromarray(pixels), (left, top))
            pen.text((left + 2, top + SIDE - 6), words, fill="black", font=font)
    sheet.save(OUT, optimize=True)


if __name__ == "__main__":
    main()
