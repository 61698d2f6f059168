"""The output folder: everything that a person looks at, written from a fitted head."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from inv3d.clock import StageClock
from inv3d.core.camera import CONVENTION
from inv3d.core.generator import Render
from inv3d.core.head import Head
from inv3d.core.inversion.loop import Progress
from inv3d.core.metrics.consistency import depth_consistency
from inv3d.core.metrics.evaluate import FrameMetrics, evaluate, means
from inv3d.core.views import Views
from inv3d.destination import RUN
from inv3d.export.mesh import extract_mesh, write_mesh
from inv3d.export.orbit import write_orbit
from inv3d.export.pictures import row, save_png
from inv3d.export.report import Source, write_report
from inv3d.memory import peak_memory_mb


def write_output(
    head: Head,
    targets: Views,
    held_out: Views,
    folder: Path,
    source: Source,
    run: dict[str, Any],
    clock: StageClock,
    progress: Progress,
) -> None:
    """Write head, views, orbit, mesh, metrics, run and report into `folder`; `run` gains means, times, versions and
    the names of all files, by which inv3d knows its own."""
    steps = ("head", "views", "orbit", "mesh", "metrics", "report")

    def done(name: str) -> None:
        progress("export " + name, steps.index(name) + 1, len(steps), {})

    head.save(folder / "head")
    done("head")
    with clock("views"):
        renders = head.render_each(targets.cameras, lambda render: render)
        _write_views(folder / "views", targets, renders)
    done("views")
    with clock("orbit"):
        write_orbit(head, folder / "orbit.mp4")
    done("orbit")
    with clock("mesh"):
        write_mesh(extract_mesh(head), folder / "mesh.glb")
    done("mesh")
    with clock("metrics"):
        fit_rows = evaluate(targets, (render.image for render in renders), head.bundle)
        held_rows = evaluate(held_out, head.render_each(held_out.cameras, lambda render: render.image), head.bundle)
        metrics = _metrics(head, fit_rows, held_rows)
    _write_json(folder / "metrics.json", metrics)
    run["means"] = {"fit": metrics["fit"], "held_out": metrics["held_out"]}
    done("metrics")
    run |= {"torch": torch.__version__, "python": platform.python_version()}
    run["seconds"] = clock.seconds
    run["total_seconds"] = round(sum(clock.seconds.values()), 2)
    run["peak_memory_mb"] = peak_memory_mb()
    write_report(
        folder / "report.html", source, head, targets, renders, fit_rows, held_rows, metrics, run, folder / "orbit.mp4"
    )
    written = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    run["files"] = sorted({*written, RUN})
    _write_json(folder / RUN, run)
    done("report")


def _write_views(folder: Path, targets: Views, renders: list[Render]) -> None:
    """Targets as PNG, pairs of target and render, and `cameras.json` in the EG3D convention."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for i, (frame, seconds) in enumerate(zip(targets.frames, targets.times, strict=True)):
        camera = targets.cameras[i]
        name = f"{i:02d}-frame{frame:05d}.png"
        save_png(folder / name, targets.images[i])
        save_png(folder / f"{i:02d}-pair.png", row([targets.images[i], renders[i].image[0].cpu()]))
        entries.append(
            {
                "file": name,
                "frame": frame,
                "time": seconds,
                "yaw_degrees": math.degrees(float(camera.yaw)),
                "pitch_degrees": math.degrees(float(camera.pitch)),
                "cam2world": camera.cam2world[0].tolist(),
                "intrinsics": camera.intrinsics[0].tolist(),
            }
        )
    _write_json(folder / "cameras.json", {"convention": CONVENTION, "views": entries})


def _metrics(head: Head, fit_rows: list[FrameMetrics], held_rows: list[FrameMetrics]) -> dict[str, Any]:
    return {
        "fit": means(fit_rows),
        "held_out": means(held_rows),
        "depth_consistency": depth_consistency(head) if len(head.track) > 1 else 0.0,
        "latent_distance": head.track.neighbour_distance(),
        "networks": {
            "identity": f"{head.bundle.names.judge}, which the fit never sees",
            "perceptual": f"{head.bundle.names.perceptual}, which the fit also optimised",
        },
        "frames": {"fit": [asdict(r) for r in fit_rows], "held_out": [asdict(r) for r in held_rows]},
    }


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
