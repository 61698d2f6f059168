"""Every method of the five papers on the same people, photographs and clips: `python benchmarks/methods.py`.

One photo of drawn people that no training has seen is inverted as `inv3d image` does with the options of each row, from the
camera that the aligner reads. MSE, LPIPS (AlexNet), MS-SSIM and ID compare the photo with the generator's render from the camera
that was found, and LPIPS and ID exact pictures of the person from 30 degrees to the left and to the right with renders from
there (aside), by the generator alone and with the photo's colours, as `inv3d image` shows them; each inside the outline. ID is
told by the judge, which no fit optimises. Geometry is the median distance from the exact surface, as in `e3dge.py`; the
camera's error is the angle to the exact one. Photographs in `--photos FOLDER` have no truth aside; of those whose names begin
with `--same`, which show one person, the first is inverted and the others are looked at, from where the aligner sees them.
Clips, two of drawn people and those of `--clips`, of real ones, are inverted as `inv3d video` does, and measured at frames that
were never used, by the generator alone and with the frames' colours; their seconds are those of the whole command.

Fits of drawn people optimise the model's own perceptual network, so that LPIPS is independent; those of photographs optimise
LPIPS where its weights are, as `--perceptual auto` does, and dlib's face distance (0.6 is another person) is independent. It is
given where it is installed and finds a face. Figures that --folder has are not made again. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from clips import CLIPS, TestClip
from e3dge import CODE, GREY, POSE, aligned, exact_aside, geometry, outline_of
from headturn import exact_surface
from inverting import CPU, angles, compared, estimated, inverted, shown_aside
from presets import commanded
from results import means, means_of, publish, table_of
from threedinv import SEEDS, odd_clip, photo_of
from torch import Tensor

from inv3d.core.bending import bent
from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.cutout import cut_out_named
from inv3d.core.encoders.inverter import Start, load_inverter
from inv3d.core.encoders.kinds import E3DGE, PREIM3D, WTRI
from inv3d.core.head import Head
from inv3d.core.headfile import load_head
from inv3d.core.helpers import AUTO, OWN
from inv3d.core.inversion.invert import Footage, Inverted
from inv3d.core.inversion.methods import course_of
from inv3d.core.inversion.settings import FAST, preset_named
from inv3d.core.metrics.judges import judges_for
from inv3d.core.views import Views
from inv3d.pipeline import suited


@dataclass(frozen=True)
class Row:
    """A way to invert one photo: what `course_of` takes."""

    name: str
    asked: Mapping[str, Any]


ROWS = (
    Row("`--encoder preim3d` (Li et al. 2023)", {"encoder": PREIM3D}),
    Row("`--encoder preim3d --refine 30 --tune 30`", {"encoder": PREIM3D, "refine": 30, "tune": 30}),
    Row("`--encoder wtri` (Oh and Jo 2023)", {"encoder": WTRI}),
    Row("`--encoder e3dge` (Lan et al. 2025)", {"encoder": E3DGE}),
    Row(
        f"`--encoder e3dge --refine-pose {POSE} --refine {CODE}`",
        {"encoder": E3DGE, "refine_pose": POSE, "refine": CODE},
    ),
    Row("`--method sg2`", {"method": "sg2"}),
    Row("`--method sg2-w+`", {"method": "sg2-w+"}),
    Row("`--method pti` (Roich et al. 2021)", {"method": "pti"}),
    Row("`--method 3dinv` (Ko et al. 2023)", {"method": "3dinv"}),
)


@dataclass(frozen=True)
class ClipRow:
    """A way to invert a clip: options of `inv3d video`."""

    name: str
    options: tuple[str, ...]


CLIP_ROWS = (
    ClipRow("`--views 9 --latents` (Barthel et al. 2024)", ("--views", "9", "--latents")),
)
DRAWN = tuple(clip for clip in CLIPS if clip.name in ("known-600", "paint-604"))
FIGURES = {"psnr": "PSNR", "ms_ssim": "MS-SSIM", "lpips": "LPIPS", "identity": "ID", "face_distance": "dlib"}
WITH_FRAMES = ("psnr", "lpips", "face_distance")
"""Of these, the figures that are given of renders with the frames' colours, too."""


def made_by(row: Row, view: Views, preset: str, bundle: Bundle) -> tuple[Inverted, float]:
    """The head of one photo and the seconds of one processor that it took."""
    course = course_of(preset_named(preset, CPU), **row.asked)

    def start() -> Start | None:
        inverter = load_inverter(bundle, course.encoder)
        return None if inverter is None else inverter(view, bundle)

    return inverted(view, course.fit, start, bundle)


def inside(outline: Tensor, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures [B,3,R,R] without what lies outside of an `outline` [B,1,R,R]."""
    return torch.where(outline, image, GREY), torch.where(outline, target, GREY)


def likeness(image: Tensor, target: Tensor, outline: Tensor, bundle: Bundle) -> dict[str, float | None]:
    """Figures of pictures [B,3,R,R] inside an `outline` [B,1,R,R]."""
    image, target = inside(outline, image, target)
    return {**compared(image, target, bundle), "ID": float(bundle.judge.similarity(image, target).mean())}


def some(figures: Mapping[str, float | None], names: Sequence[str], suffix: str) -> dict[str, float | None]:
    """The figures of these names, with a `suffix` to each name."""
    return {name + suffix: figures[name] for name in names}


@torch.no_grad()
def of_person(seed: int, row: Row, preset: str, bundle: Bundle) -> dict[str, Any]:
    """Figures of a drawn person in one row."""
    clip, exact = odd_clip(seed), photo_of(seed, bundle.generator.resolution)
    made, seconds = made_by(row, estimated(exact, bundle), preset, bundle)
    found, sides = made.footage.targets, exact_aside(clip, exact, bundle)
    shown, footage = bent(made.head, made.footage)
    plain, coloured = (
        likeness(shown_aside(head, views.cameras), *sides, bundle)
        for head, views in ((made.head, found), (shown.showing(footage.targets), footage.targets))
    )
    return {
        **likeness(made.head.render(found.cameras).image, found.images, outline_of(found), bundle),
        **some(plain, ("LPIPS", "ID"), " aside"),
        **some(coloured, ("LPIPS", "ID"), " aside, with colours"),
        "median mm": geometry(made.head, exact_surface(clip, exact.frames[0]), clip)["median mm"],
        "camera (°)": float(angles(found.cameras, exact.cameras)),
        "CPU seconds": seconds,
    }


@torch.no_grad()
def of_photographs(views: Sequence[Views], row: Row, preset: str, bundle: Bundle) -> dict[str, Any]:
    """Figures of a photograph in one row, and of others of the same person, if there are any."""
    first, *others = views
    fitted = suited(bundle, AUTO, first).bundle
    made, seconds = made_by(row, first, preset, fitted)
    judges, cut_out = judges_for(fitted, True, CPU), cut_out_named(AUTO, bundle)

    def seen(head: Head, view: Views) -> dict[str, float | None]:
        image = head.render(view.cameras).image
        near = compared(*inside(outline_of(view), image, view.images), fitted)["LPIPS"]
        face = None if judges.faces is None else judges.faces.compare(judges.faces.describe(view.images), image).distance
        return {"LPIPS": near, "dlib": face}

    found = made.footage.targets
    hidden = [Footage.of_one(other).without_room(cut_out).targets for other in others]
    figures = seen(made.head, found)
    unknown = dict.fromkeys(figures)
    shown, footage = bent(made.head, made.footage)
    for suffix, head in ((" of others", made.head), (" of others, with colours", shown.showing(footage.targets))):
        each = [seen(head, other) for other in hidden]
        figures |= some(means(each) if each else unknown, ("LPIPS", "dlib"), suffix)
    return {**figures, "CPU seconds": seconds}


def of_clip(clip: tuple[Path, TestClip | None], row: ClipRow) -> dict[str, Any]:
    """Figures of one clip; of the surface only if it is known who was drawn."""
    path, drawn = clip
    perceptual = AUTO if drawn is None else OWN
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "head")
        seconds, metrics = commanded(path, (*row.options, "--preset", FAST.name, "--perceptual", perceptual), out)
        frontal = min(metrics["frames"]["held_out"], key=lambda frame: abs(frame["yaw"]))["frame"]
        surface = None if drawn is None else geometry(load_head(out), exact_surface(drawn, frontal), drawn)["median mm"]
    return {
        **{shown: metrics["model"][name] for name, shown in FIGURES.items()},
        **{f"{FIGURES[name]} with frames": metrics["held_out"][name] for name in WITH_FRAMES},
        "median mm": surface,
        "CPU seconds": seconds,
    }


def by_person(photographs: Mapping[str, Views], same: str | None) -> dict[str, list[Views]]:
    """The photographs by name, those whose names begin with `same` as one: the first, and then the others."""
    alike = [name for name in photographs if same is not None and name.startswith(same)]
    found = {name: [view] for name, view in photographs.items() if name not in alike[1:]}
    if alike:
        found[alike[0]] += [photographs[name] for name in alike[1:]]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/methods"), help="Where clips and finished figures are kept.")
    parser.add_argument("--count", type=int, default=4, help="How many drawn people.")
    parser.add_argument("--photos", type=Path, help="A folder of photographs.")
    parser.add_argument("--same", help="How the names of those begin that show one person.")
    parser.add_argument("--most", type=int, help="How many photographs are inverted; all by default.")
    parser.add_argument("--clips", nargs="*", type=Path, default=[], help="Clips of one's own.")
    parser.add_argument("--preset", default=FAST.name, help="Steps and rates of one photo; clips take those of fast.")
    options = parser.parse_args()
    bundle, preset, folder = load_bundle("demo"), options.preset, options.folder
    groups = {}
    people = {f"{preset}-{seed}": seed for seed in SEEDS[: options.count]}
    groups[f"One photo, {len(people)} drawn people"] = means_of(
        people, ROWS, functools.partial(of_person, preset=preset, bundle=bundle), folder
    )
    if options.photos is not None:
        persons = by_person(aligned(options.photos, bundle), options.same)
        chosen = {f"{preset}-{name}": persons[name] for name in list(persons)[: options.most]}
        groups[f"One photo, {len(chosen)} photographs"] = means_of(
            chosen, ROWS, functools.partial(of_photographs, preset=preset, bundle=bundle), folder
        )
    clips: dict[str, dict[str, tuple[Path, TestClip | None]]] = {
        "Clips of drawn people": {clip.name: (clip.write(folder / "clips"), clip) for clip in DRAWN},
        "Clips of real people": {path.stem: (path, None) for path in options.clips},
    }
    for title, some_clips in clips.items():
        if some_clips:
            groups[f"{title}: {len(some_clips)}"] = means_of(some_clips, CLIP_ROWS, of_clip, folder)
    head = f"Means. Steps of `--method` are those of the preset {preset}; clips are fitted with {FAST.name}."
    parts = [table_of(title, rows) for title, rows in groups.items()]
    publish("methods", {"preset": preset, "groups": groups}, "\n\n".join([head, *parts]))


if __name__ == "__main__":
    main()
