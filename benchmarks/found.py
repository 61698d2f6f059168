"""Heads found in photographs and clips of one's own: `python benchmarks/found.py FOLDER`.

FOLDER holds pictures, clips and `cameras.json`, whose tables give for some pictures an EG3D camera (25 numbers) or a yaw in
degrees. Prints for every picture whether a head was found, the error of its yaw and pitch; for every clip how many frames
were tracked and the largest change of yaw from one frame to the next. `--aligner FILE` tries other weights, also those of
a training that is not finished (`.pt`).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from results import table
from safetensors.torch import load_file

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.camera import Camera
from inv3d.core.errors import InputError
from inv3d.core.networks.aligner import Aligner
from inv3d.video.detect import faces_of
from inv3d.video.photo import align_photo
from inv3d.video.track import track


def labels(folder: Path) -> dict[str, tuple[float, float | None]]:
    """Yaw and, if known, pitch of pictures by name, in degrees."""
    known: dict[str, tuple[float, float | None]] = {}
    tables = json.loads((folder / "cameras.json").read_text(encoding="utf-8"))
    for name, value in (item for one in tables.values() if isinstance(one, dict) for item in one.items()):
        if isinstance(value, list):
            camera = Camera(torch.tensor(value[:16]).reshape(1, 4, 4), torch.tensor(value[16:]).reshape(1, 3, 3))
            known[name] = math.degrees(float(camera.yaw)), math.degrees(float(camera.pitch))
        else:
            known[name] = float(value), None
    return known


def with_aligner(bundle: Bundle, file: Path | None) -> Bundle:
    if file is None:
        return bundle
    weights: dict[str, Any] = (
        torch.load(file, weights_only=True)["network"] if file.suffix == ".pt" else load_file(file)
    )
    aligner = Aligner(matte="decoder.out.weight" in weights).eval().requires_grad_(False)
    aligner.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return dataclasses.replace(bundle, own_aligner=aligner)


def photo_row(path: Path, bundle: Bundle, known: tuple[float, float | None] | None) -> list[object]:
    try:
        found = align_photo(path, bundle)
    except InputError:
        return [path.name, "none", None, None, None]
    yaw, pitch = (math.degrees(float(angle)) for angle in (found.view.cameras.yaw, found.view.cameras.pitch))
    errors = [None, None] if known is None else [yaw - known[0], None if known[1] is None else pitch - known[1]]
    return [path.name, f"{yaw:.0f}° / {pitch:.0f}°", found.confidence, *errors]


def clip_row(path: Path, bundle: Bundle) -> list[object]:
    try:
        found = track(path, bundle.aligner, faces=faces_of(bundle))
    except InputError as error:
        return [path.name, error.message, None, None, None]
    degrees = found.yaws.rad2deg().tolist()
    leap = max((abs(b - a) for a, b in pairwise(degrees)), default=0.0)
    return [path.name, len(found.frames), len(found.failed), f"{min(degrees):.0f}° to {max(degrees):.0f}°", leap]


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--aligner", type=Path)
    options = parser.parse_args()
    bundle = with_aligner(load_bundle(options.model), options.aligner)
    known = labels(options.folder)
    photos = sorted(path for path in options.folder.iterdir() if path.suffix in (".png", ".jpg"))
    clips = sorted(options.folder.glob("*.mp4"))
    rows = [photo_row(path, bundle, known.get(path.name) or known.get(path.stem)) for path in photos]
    print(table(["picture", "yaw / pitch", "confidence", "yaw error", "pitch error"], rows))
    for column, name in ((3, "yaw"), (4, "pitch")):
        values = sorted(abs(float(str(row[column]))) for row in rows if row[column] is not None)
        if values:
            print(
                f"\n{name}: median error {values[len(values) // 2]:.1f}°, largest {values[-1]:.1f}°, of {len(values)}"
            )
    print()
    print(table(["clip", "tracked", "failed", "yaws", "largest step"], [clip_row(path, bundle) for path in clips]))


if __name__ == "__main__":
    main()
