"""Tables 1 and 2 and Figure 3 of the multi-view inversion paper, on six clips: `python benchmarks/headturn.py`.

Every clip (see clips.py) is treated like any clip: found, tracked, cut. Rows as in the paper; metrics of the frontal
frame, and (`_R`) of frames evenly spaced over the whole turn, those that no fit has seen also apart; depth and surface
against the exact geometry. ID is measured by a network that no fit optimises, and so is LPIPS
(AlexNet), a column where its weights are on the machine. Finished rows are kept in --folder, so
that the benchmark goes on where it stopped; several can run at a time, on different --clips.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
import trimesh
from clips import CLIPS, TestClip
from numpy.typing import NDArray
from results import publish, table
from scipy.spatial import cKDTree

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.camera import look_at
from inv3d.core.device import choose_device
from inv3d.core.head import Head
from inv3d.core.helpers import LPIPS, has_perceptual, load_perceptual
from inv3d.core.inversion.invert import Footage, refine_cameras
from inv3d.core.inversion.settings import FitSettings, preset_for
from inv3d.core.inversion.stages import Pivot, Problem, fit_latents, fit_wplus, tune
from inv3d.core.latents import LatentTrack
from inv3d.core.metrics.consistency import depth_consistency
from inv3d.core.metrics.evaluate import FrameMetrics, evaluate, means
from inv3d.core.metrics.judges import Judges
from inv3d.core.views import Views
from inv3d.export.mesh import extract_mesh
from inv3d.pipeline import cut_footage
from inv3d.video.material import Recording
from inv3d.video.select import cut_views, select
from inv3d.video.track import HeadTrack, TrackedFrame, track

SINGLE, MULTI, LATENTS = "Single-view", "Multi-view", "Multi-latent"
METRICS = {"mse": "MSE", "perceptual": "perceptual", "lpips": "LPIPS", "ms_ssim": "MS-SSIM", "identity": "ID"}
CONSISTENCY_CODES = 30


@dataclass(frozen=True)
class Row:
    """A row of the paper's tables."""

    group: str
    name: str
    views: int
    tuned: bool = True
    distance: bool = False
    interpolation: bool = False
    depth: bool = False

    @property
    def several(self) -> bool:
        return self.group == LATENTS

    def settings(self, base: FitSettings) -> FitSettings:
        """All rows have the same W+ and tuning steps; several codes come in between, as in the paper."""
        return replace(
            base,
            distance=base.distance * self.distance,
            interpolation=base.interpolation * self.interpolation,
            depth=base.depth * self.depth,
        )


ROWS = (
    Row(SINGLE, "W+", 1, tuned=False),
    Row(SINGLE, "PTI", 1),
    *(Row(MULTI, f"{n} views", n) for n in (3, 5, 7, 9)),
    Row(LATENTS, "9 latents", 9),
    Row(LATENTS, "+ distance", 9, distance=True),
    Row(LATENTS, "+ interpolation", 9, distance=True, interpolation=True),
    Row(LATENTS, "+ depth", 9, distance=True, interpolation=True, depth=True),
)


class Fits:
    """The fits of one clip; W+ codes that several rows share are found once."""

    def __init__(self, clip: Path, bundle: Bundle, base: FitSettings, device: torch.device, frames: int) -> None:
        self.material, self.bundle, self.base, self.device, self.frames = Recording.of(clip), bundle, base, device, frames
        self.found: HeadTrack = track(clip, bundle.aligner)
        info = bundle.info
        measured = self.evenly()
        pictures = self.material.frames( {frame.index for frame in measured}.__contains__)
        self.measured = cut_views(pictures, measured, info.generator.resolution, info.camera)
        self._wplus: dict[int, Pivot] = {}

    def evenly(self) -> tuple[TrackedFrame, ...]:
        """Frames nearest to evenly spaced yaws, each once."""
        low, high = self.found.yaw_range
        spaced = torch.linspace(low, high, self.frames).tolist()
        nearest = {min(self.found.frames, key=lambda f: abs(f.yaw - yaw)) for yaw in spaced}
        return tuple(sorted(nearest, key=lambda f: f.yaw))

    def prepared(self, views: int) -> Footage:
        """Targets for `views` views; what is measured are all evenly spaced frames, targets or not."""
        return replace(cut_footage(self.material, self.bundle, self.material.select(self.found, views, 0)), held_out=self.measured)

    def fit(self, row: Row) -> tuple[Head, Footage]:
        """The head of a row, and the views with their refined cameras."""
        settings, prepared = row.settings(self.base), self.prepared(row.views)

        def problem() -> Problem:
            views = (prepared.targets.to(self.device), prepared.between.to(self.device))
            return Problem(self.bundle, *views, settings.weighing(self.bundle.perceptual_scale), seed=0)

        if row.views not in self._wplus:
            self._wplus[row.views] = fit_wplus(problem())
        code, offsets, _ = self._wplus[row.views]
        prepared = refine_cameras(prepared, offsets.cpu())
        codes = LatentTrack(code, torch.zeros(1, device=self.device))
        if row.several:
            codes = fit_latents(problem(), code)
        generator = tune(problem(), codes) if row.tuned else self.bundle.generator
        return Head(generator, codes, self.bundle, self.found.yaw_range), prepared


@torch.no_grad()
def depth_error(head: Head, views: Views, clip: TestClip) -> float:
    """Median absolute depth error inside the head over some of `views`, in percent of the head's width."""
    renderer, errors = clip.renderer(), []
    for i in range(0, len(views), max(1, len(views) // 10)):
        exact = clip.turn.render_aligned(renderer, views.frames[i], 96)
        depth = head.render(views.cameras[i], 96, superresolution=False).depth.cpu()
        errors.append(100 * (depth - exact.depth).abs()[exact.alpha > 0.99] / head_width(clip))
    return float(torch.cat(errors).median())


def head_width(clip: TestClip) -> float:
    """In world units."""
    return clip.renderer().builder.shapes.surface(clip.turn.parameters(0)).width


def exact_surface(clip: TestClip, frame: int) -> NDArray[np.float32]:
    """Points of the face and its sides at a frame: what the clip shows, as in the NoW protocol."""
    yaw = torch.linspace(-70.0, 70.0, 7).deg2rad()
    cameras = look_at(yaw, torch.zeros_like(yaw))
    parameters = clip.turn.parameters(frame).expand(len(yaw), -1)
    exact = clip.renderer().render(parameters, cameras, 96, supersample=1)
    origins, directions = cameras.rays(96)
    points = (origins + directions * exact.depth.reshape(len(yaw), -1, 1))[exact.alpha.flatten(1) == 1.0]
    array: NDArray[np.float32] = points[(points[:, 2] > 0.0) & (points[:, 1].abs() < 0.26)].numpy()
    return array


def surface_distances(head: Head, surface: NDArray[np.float32], clip: TestClip, rounds: int = 0) -> NDArray[np.float64]:
    """Distances from points [N,3] of the exact surface to that of the head, in head widths, after so many `rounds` of rigid
    alignment."""
    points, _ = trimesh.sample.sample_surface(extract_mesh(head), 150_000, seed=0)
    tree, moved = cKDTree(points), np.asarray(surface, np.float64)
    for _ in range(rounds):
        nearest = points[tree.query(moved)[1]]
        _, moved, _ = trimesh.registration.procrustes(moved, nearest, reflection=False, scale=False)
    distances: NDArray[np.float64] = tree.query(moved)[0] / head_width(clip)
    return distances


def surface_error(head: Head, surface: NDArray[np.float32], clip: TestClip) -> dict[str, float]:
    """Distance from points of the exact surface to the reconstructed one, in percent of the head's width.

    As in the NoW protocol, but without its rigid alignment: both surfaces live in the same coordinates.
    """
    distance = 100 * surface_distances(head, surface, clip)
    return {"mean": float(distance.mean()), "median": float(np.median(distance)), "std": float(distance.std())}


def judges(device: torch.device) -> Judges:
    """The model's own judge, and LPIPS if its weights are on the machine."""
    return Judges(lpips=load_perceptual(LPIPS, device) if has_perceptual(LPIPS) else None)


def summary(rows: list[FrameMetrics]) -> dict[str, Any] | None:
    """Means over frames, as they are kept."""
    found = means(rows)
    return None if found is None else asdict(found)


def run_clip(clip: TestClip, rows: list[int], folder: Path, bundle: Bundle, device: torch.device, frames: int) -> None:
    """The rows (by number) of one clip that are not in `folder` yet."""
    path = clip.write(folder / "clips")
    fits = Fits(path, bundle, preset_for(device), device, frames)
    learned = {frame.index for n in (1, 3, 5, 7, 9) for role in _roles(fits, n) for frame in role}
    frontal = min(fits.evenly(), key=lambda f: abs(f.yaw))
    surface = exact_surface(clip, frontal.index)
    for i in rows:
        row = ROWS[i]
        out = folder / f"{clip.name}-{i}.json"
        if out.exists():
            continue
        start = time.perf_counter()
        head, prepared = fits.fit(row)
        seconds = time.perf_counter() - start
        images = head.render_each(prepared.held_out.cameras, lambda render: render.image)
        measured = evaluate(prepared.held_out, images, bundle, judges(device))
        result = {
            "clip": clip.name, "known": clip.known, "row": f"{row.group}: {row.name}", "seconds": seconds,
            "frontal": summary([r for r in measured if r.frame == frontal.index]),
            "rotation": summary(measured), "unseen": summary([r for r in measured if r.frame not in learned]),
            "frames": [asdict(r) for r in measured],
            "depth_error": depth_error(head, prepared.held_out, clip), "surface": surface_error(head, surface, clip),
            "depth_consistency": depth_consistency(head, CONSISTENCY_CODES) if row.several else None,
            "latent_distance": head.track.neighbour_distance() if row.several else None,
        }  # fmt: skip
        out.write_text(json.dumps(result), encoding="utf-8")
        print(f"{clip.name} {row.group}: {row.name} {seconds:.0f} s {result['rotation']}", flush=True)


def _roles(fits: Fits, views: int) -> tuple[tuple[TrackedFrame, ...], ...]:
    chosen = select(fits.found, views)
    return chosen.targets, chosen.between


Results = list[list[dict[str, Any]]]
"""Per row of the table, one result per clip."""


def average(results: Results, row: int, value: Callable[[dict[str, Any]], float]) -> float:
    return float(np.mean([value(r) for r in results[row]]))


def metrics_of(results: Results) -> list[str]:
    """The metrics that all results have."""
    return [m for m in METRICS if all(r["rotation"][m] is not None for row in results for r in row)]


def tables(results: Results) -> str:
    """Tables 1 and 2."""
    metrics = metrics_of(results)
    header = ["", *(METRICS[m] for m in metrics), *(f"{METRICS[m]}_R" for m in metrics)]
    header += ["MSE unseen", "ID unseen", "depth error %", "surface mean %", "median %", "std %"]
    lines: list[list[Any]] = []
    for i, row in enumerate(ROWS):
        cells: list[Any] = [f"{row.group}: {row.name}"]
        for part in ("frontal", "rotation"):
            cells += [average(results, i, lambda r, p=part, m=m: r[p][m]) for m in metrics]  # type: ignore[misc]
        cells += [average(results, i, lambda r, m=m: r["unseen"][m]) for m in ("mse", "identity")]  # type: ignore[misc]
        cells.append(average(results, i, lambda r: r["depth_error"]))
        cells += [average(results, i, lambda r, m=m: r["surface"][m]) for m in ("mean", "median", "std")]  # type: ignore[misc]
        lines.append([f"{c:.4f}" if isinstance(c, float) and c < 0.02 else c for c in cells])
    second = [
        [ROWS[i].name, *(average(results, i, lambda r, k=k: r[k]) for k in ("depth_consistency", "latent_distance"))]  # type: ignore[misc]
        for i in range(len(ROWS)) if ROWS[i].several
    ]  # fmt: skip
    second = [[name, f"{depth:.5f}", distance] for name, depth, distance in second]
    return table(header, lines) + "\n\n" + table(["", "depth consistency", "latent distance"], second)


def ratios(results: Results) -> list[float]:
    """The paper's headline ratios in our numbers; see `PAPER`."""
    pti, last, free = 1, len(ROWS) - 1, next(i for i, row in enumerate(ROWS) if row.several)

    def rotation(row: int, metric: str) -> float:
        return average(results, row, lambda r: r["rotation"][metric])

    def latents(row: int, name: str) -> float:
        return average(results, row, lambda r: r[name])

    return [
        rotation(pti, "mse") / rotation(last, "mse"),
        rotation(pti, "perceptual") / rotation(last, "perceptual"),
        (1 - rotation(pti, "ms_ssim")) / (1 - rotation(last, "ms_ssim")),
        latents(free, "depth_consistency") / latents(last, "depth_consistency"),
        latents(free, "latent_distance") / latents(last, "latent_distance"),
    ]


PAPER = {
    "rotation MSE, PTI over full": 8.3,
    "rotation perceptual distance, PTI over full": 2.0,
    "rotation 1 - MS-SSIM, PTI over full": 3.5,
    "depth consistency, 9 latents over full": 1.64,
    "latent distance, 9 latents over full": 6.8,
}


def order(results: Results) -> list[list[Any]]:
    """Whether the paper's order comes out."""
    by_name = {f"{row.group}: {row.name}": i for i, row in enumerate(ROWS)}
    nine, three, pti = by_name["Multi-view: 9 views"], by_name["Multi-view: 3 views"], by_name["Single-view: PTI"]
    free, full = by_name["Multi-latent: 9 latents"], by_name["Multi-latent: + depth"]
    rising = {"ms_ssim": -1.0, "identity": -1.0}

    def better(a: int, b: int, part: str) -> str:
        lost = [
            m for m in metrics_of(results)
            if rising.get(m, 1.0) * average(results, a, lambda r, m=m: r[part][m])  # type: ignore[misc]
            >= rising.get(m, 1.0) * average(results, b, lambda r, m=m: r[part][m])  # type: ignore[misc]
        ]  # fmt: skip
        return "yes" if not lost else "not " + ", ".join(lost)

    depth = [average(results, i, lambda r: r["depth_consistency"]) for i in (full, free)]
    return [
        ["9 views beat 3, every rotation metric", better(nine, three, "rotation")],
        ["9 views beat single-view PTI", better(nine, pti, "rotation")],
        ["9 latents beat 9 views", better(free, nine, "rotation")],
        ["all regularisers beat none on unseen frames", better(full, free, "unseen")],
        ["all regularisers beat none in depth consistency", "yes" if depth[0] < depth[1] else "no"],
    ]


def figure(results: Results, path: Path) -> None:
    """Figure 3: ID against yaw, mean over the clips."""
    plt.figure(figsize=(7, 4))
    edges = np.linspace(-70, 70, 29)
    for name in ("Single-view: PTI", "Multi-view: 9 views", "Multi-latent: 9 latents", "Multi-latent: + depth"):
        i = next(i for i, row in enumerate(ROWS) if f"{row.group}: {row.name}" == name)
        frames = [FrameMetrics(**frame) for r in results[i] for frame in r["frames"]]
        yaw, identity = np.array([f.yaw for f in frames]), np.array([f.identity for f in frames])
        which = np.digitize(yaw, edges)
        bins = [k for k in range(1, len(edges)) if (which == k).any()]
        centres = [(edges[k - 1] + edges[k]) / 2 for k in bins]
        plt.plot(centres, [identity[which == k].mean() for k in bins], label=name)
    plt.xlabel("yaw (degrees)")
    plt.ylabel("ID similarity")
    plt.legend()
    plt.grid(alpha=0.3)
    plt.tight_layout()
    plt.savefig(path)


def summarise(folder: Path, frames: int, preset: str) -> None:
    """Tables and figure from the results in `folder`."""
    chosen = [clip for clip in CLIPS if all((folder / f"{clip.name}-{i}.json").exists() for i in range(len(ROWS)))]
    if not chosen:
        return

    def load(clips: list[TestClip]) -> Results:
        return [[json.loads((folder / f"{c.name}-{i}.json").read_text()) for c in clips] for i in range(len(ROWS))]

    groups = {
        f"All {len(chosen)} clips": chosen,
        "Known people": [c for c in chosen if c.known],
        "People with what the model has never seen": [c for c in chosen if not c.known],
    }
    loaded = {name: load(clips) for name, clips in groups.items() if clips}
    text = f"Preset {preset}; {frames} frames evenly spaced over the turn; ID by a network that no fit optimises; surface and depth\n"
    text += "errors in percent of the head's width. Unseen: frames that no row's fit has used.\n"
    for name, results in loaded.items():
        text += f"\n## {name}\n\n{tables(results)}\n"
    text += "\n## Ratios\n\n"
    text += table(
        ["", "paper", *loaded],
        [[name, PAPER[name], *v] for name, *v in zip(PAPER, *map(ratios, loaded.values()), strict=True)],
    )
    text += "\n\n## The paper's order\n\n"
    parts = [order(results) for results in loaded.values()]
    text += table(["", *loaded], [[line[0][0], *(cell[1] for cell in line)] for line in zip(*parts, strict=True)])
    figure(next(iter(loaded.values())), Path("docs/figure3.svg"))
    data = {
        name: [[{k: v for k, v in r.items() if k != "frames"} for r in row] for row in results]
        for name, results in loaded.items()
    }
    publish("headturn", data, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/headturn"), help="Where clips and finished rows are kept."
    )
    parser.add_argument("--clips", default=",".join(clip.name for clip in CLIPS), help="Which clips, by name.")
    parser.add_argument("--rows", default=",".join(map(str, range(len(ROWS)))), help="Which rows, by number from 0.")
    parser.add_argument("--frames", type=int, default=180, help="Frames over the turn that are measured.")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device).device
    bundle = load_bundle("demo", device)
    names = options.clips.split(",")
    for clip in CLIPS:
        if clip.name in names:
            rows = [int(row) for row in options.rows.split(",")]
            run_clip(clip, rows, options.folder, bundle, device, options.frames)
    summarise(options.folder, options.frames, preset_for(device).name)


if __name__ == "__main__":
    main()
