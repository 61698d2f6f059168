"""Table 2 of *PREIM3D* and Table 1 of *3D GAN Inversion with Pose Optimization* for things, as both papers show them for cats:
`python benchmarks/things_inverted.py --model cats`, or chairs.

One pass of the encoder, optimisation in W+, PTI and 3dinv invert photos of drawn things that no training has seen. MSE, LPIPS
(AlexNet, where its weights are; no fit optimises it) and MS-SSIM compare the photo, in front of one colour as every fit sees it,
with the render from the camera that was found; and exact pictures of the thing from 30 degrees to the left and to the right, in
front of the same colour, with renders from there (aside). The error of the camera is the angle to the exact one, before, as the
aligner reads it, and after. Figures that --folder has are not made again.
"""

from __future__ import annotations

import argparse
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from drawn import TURNS
from inverting import CPU, angles, compared, estimated, exact_views, inverted, shown_aside, sides_of
from results import means_of, publish, table_of
from things import FRAMES, PHOTO, SEEDS

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.encoders.inverter import Start, load_inverter
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.inversion.methods import course_of
from inv3d.core.inversion.settings import preset_named
from inv3d.core.matting import room_colour
from inv3d.core.procedural.renderer import HeadRenderer


@dataclass(frozen=True)
class Row:
    """A method of `inv3d image --method`; None is one pass of the encoder."""

    name: str
    method: str | None


ROWS = (
    Row("one pass of the encoder", None),
    Row("optimisation in W+", "sg2-w+"),
    Row("PTI", "pti"),
    Row("3dinv", "3dinv"),
)


@torch.no_grad()
def measured(number: int, row: Row, preset: str, bundle: Bundle) -> dict[str, Any]:
    """Figures of one thing in one row."""
    turn, frame = TURNS[bundle.name](SEEDS[number], **PHOTO), FRAMES[number % len(FRAMES)]
    renderer, size = HeadRenderer(kind=turn.kind), bundle.generator.resolution
    exact = exact_views(turn, renderer, (frame,), size)
    view = estimated(exact, bundle)
    course = course_of(preset_named(preset, CPU), row.method)

    def start() -> Start | None:
        inverter = load_inverter(bundle, course.encoder)
        return None if inverter is None else inverter(view, bundle)

    made, seconds = inverted(view, course.fit, start, bundle)
    target, found = made.footage.targets.images, made.footage.targets.cameras
    drawn = [renderer.render(turn.parameters(frame), camera, size) for camera in (exact.cameras, *sides_of(exact.cameras))]
    colour = room_colour(target, drawn[0].alpha)[:, None, None]
    aside = torch.cat([each.image * each.alpha + colour * (1.0 - each.alpha) for each in drawn[1:]])
    shown = shown_aside(made.head, found)
    return {
        **compared(made.head.render(found).image, target, bundle),
        **compared(shown, aside, bundle, " aside"),
        "camera before (°)": float(angles(view.cameras, exact.cameras)),
        "camera after (°)": float(angles(found, exact.cameras)),
        "CPU seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="cats", choices=TURNS)
    parser.add_argument("--folder", type=Path, default=Path("runs/things"), help="Where finished figures are kept.")
    parser.add_argument("--count", type=int, default=4, help="How many things.")
    parser.add_argument("--preset", default="draft", help="Steps and rates.")
    options = parser.parse_args()
    bundle = load_bundle(options.model)
    things = {f"{options.model}-{options.preset}-{number}": number for number in range(options.count)}
    measure = functools.partial(measured, preset=options.preset, bundle=bundle)
    rows = means_of(things, ROWS, measure, options.folder)
    head = f"Means of {len(things)} drawn {options.model}, preset {options.preset}; the encoder is {PREIM3D}."
    data = {"count": len(things), "preset": options.preset, "rows": rows}
    publish(f"{options.model}_inverted", data, f"{head}\n\n{table_of('Method', rows)}")


if __name__ == "__main__":
    main()
