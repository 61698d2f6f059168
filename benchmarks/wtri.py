"""Tables 1 and 2 of *From 2D Portraits to 3D Realities*, and what more freedom of the code gives and costs:
`python benchmarks/wtri.py`.

The first table compares the encoders, from ReStyle's for W+ to that of W_tri with the pose cycle loss, PREIM3D's, as which
all of them begin, and PTI; the second optimisation and PTI in W, W+ and W_tri from the mean code. People, photos and
figures are those of `threedinv.py`; the camera is as the aligner reads it, LPIPS is measured where its weights are, beside
the distance of the model's own perceptual network; ID aside is that of renders from 30 degrees further left and right,
which no method has seen. Encoders that --folder lacks are trained first (with --scale 0.125 in a quarter of an hour, and
the pictures in four minutes for each 100 people); figures that are there are not measured again. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from encoder import train_variants
from inverting import CPU, estimated
from results import means_of, publish, table_of
from threedinv import SEEDS, figures_of, photo_of

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.encoders.inverter import EncoderInverter, Inverter, Start, WtriInverter
from inv3d.core.encoders.kinds import NO_ENCODER, PREIM3D, WTRI
from inv3d.core.encoders.store import load_encoder
from inv3d.core.encoders.wtri import Wtri
from inv3d.core.inversion.methods import GIVEN, course_of
from inv3d.core.inversion.settings import SPACES, FitSettings, preset_named
from inv3d.core.training.wtri import config_for

VARIANTS = {
    "full": (),
    "no-cycle": ("--without", "cycle"),
    "restyle": ("--without", "planes", "--without", "cycle"),
}
"""Folders of the trained encoders, and how they are trained; the pictures of the first serve all."""


@dataclass(frozen=True)
class Row:
    """How a row inverts: with an encoder, one of the `VARIANTS` or the model's own, and with settings."""

    name: str
    settings: FitSettings
    encoder: str | None = None


def rows_of(preset: FitSettings) -> dict[str, list[Row]]:
    """The rows of both tables."""
    plain, wplus = (course_of(preset, encoder=name).fit for name in (WTRI, PREIM3D))
    pti = course_of(preset, "pti", GIVEN).fit
    encoders = {"restyle": "ReStyle (W+)", "no-cycle": "+ W_tri", "full": "+ W_tri + pose cycle loss"}
    spaces = [
        Row(f"{name} in {shown}", course.fit)
        for space, shown in SPACES.items()
        for name, course in (
            ("optimisation", course_of(preset, encoder=NO_ENCODER, refine=preset.wplus_steps, space=space)),
            ("PTI", course_of(preset, "pti", GIVEN, space=space)),
        )
    ]
    return {
        "Encoders": [
            Row("PREIM3D (W+)", wplus, PREIM3D),
            *(Row(shown, plain, name) for name, shown in encoders.items()),
            Row("PTI", pti),
        ],
        "Spaces": spaces,
    }


def read_encoder(folder: Path, bundle: Bundle) -> Wtri:
    """A trained encoder, or one in the making: the moving average of its checkpoint."""
    encoder = Wtri(config_for(bundle, planes=folder.name != "restyle"))
    encoder.mean_code = bundle.mean_code.expand_as(encoder.mean_code)
    encoder.load_state_dict(torch.load(folder / f"{WTRI}.pt", map_location="cpu", weights_only=True)["average"])
    return encoder.eval().requires_grad_(False)


def measured(seed: int, row: Row, bundle: Bundle, inverters: Mapping[str, Inverter]) -> dict[str, Any]:
    """Figures of one person in one row, without those of the camera, which stays."""
    view = photo_of(seed, bundle.generator.resolution)
    camera = estimated(view, bundle).cameras

    def start() -> Start | None:
        return None if row.encoder is None else inverters[row.encoder](estimated(view, bundle), bundle)

    found = figures_of(view, camera, row.settings, start, bundle, seed)
    return {name: value for name, value in found.items() if not name.startswith("camera")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/wtri"), help="Where encoders and figures are kept.")
    parser.add_argument("--count", type=int, default=len(SEEDS), help="How many people.")
    parser.add_argument("--preset", default="fast", help="Steps and rates.")
    parser.add_argument("--scale", type=float, default=1.0, help="Factor on the steps of the encoders' training.")
    parser.add_argument("--only", choices=("Encoders", "Spaces"), help="One of the tables; the second needs no training.")
    options = parser.parse_args()
    bundle = load_bundle("demo")
    chosen = {title: rows for title, rows in rows_of(preset_named(options.preset, CPU)).items() if options.only in (None, title)}
    inverters: dict[str, Inverter] = {}
    if "Encoders" in chosen:
        train_variants(options.folder, options.scale, WTRI, VARIANTS)
        inverters = {name: WtriInverter(read_encoder(options.folder / name, bundle)) for name in VARIANTS}
        inverters[PREIM3D] = EncoderInverter(load_encoder(bundle.name, PREIM3D))
    people = {f"{options.preset}-{seed}": seed for seed in range(SEEDS.start, SEEDS.start + options.count)}
    measure = functools.partial(measured, bundle=bundle, inverters=inverters)
    found = {title: means_of(people, rows, measure, options.folder) for title, rows in chosen.items()}
    parts = [table_of(title, rows) for title, rows in found.items()]
    head = f"Means of {len(people)} drawn people, preset {options.preset}; encoders trained at scale {options.scale:g}."
    if options.only:
        print("\n\n".join([head, *parts]))  # not the whole
    else:
        data = {name: figures for rows in found.values() for name, figures in rows.items()}
        publish("wtri", {"count": len(people), "preset": options.preset, "rows": data}, "\n\n".join([head, *parts]))


if __name__ == "__main__":
    main()
