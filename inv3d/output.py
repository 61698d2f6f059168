"""The output folder: everything that is written from a fitted head."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from inv3d.clock import StageClock
from inv3d.core.device import peak_device_memory_mb
from inv3d.core.head import Head
from inv3d.core.headfile import save_head
from inv3d.core.inversion.invert import Footage
from inv3d.core.inversion.loop import Progress
from inv3d.core.metrics.consistency import depth_consistency
from inv3d.core.metrics.evaluate import FrameMetrics, evaluate, evaluate_each, means
from inv3d.core.metrics.judges import SAME_PERSON, Judges, judges_for
from inv3d.core.records import write_record
from inv3d.core.world import OUTSIDE
from inv3d.destination import RUN
from inv3d.export.background import KEEP, Background
from inv3d.export.film import along, write_film
from inv3d.export.formats import write_textured
from inv3d.export.mesh import extract_mesh
from inv3d.export.orbit import write_orbit
from inv3d.export.report import Source, write_report
from inv3d.export.results import BothFrames, MeasuredBy, Metrics, Run, finite_figures
from inv3d.export.textured import paint
from inv3d.export.view import MESH, VIEW, write_view
from inv3d.export.views import VIEWS, write_unseen, write_views
from inv3d.memory import peak_memory_mb

AnyRun = TypeVar("AnyRun", bound=Run)


def write_output(
    head: Head,
    footage: Footage,
    folder: Path,
    source: Source,
    run: AnyRun,
    clock: StageClock,
    progress: Progress,
    strangeness: float = 0.0,
    background: Background = KEEP,
) -> AnyRun:
    """Write head, views, orbit, mesh, page, metrics, run and report into `folder`; returns `run` with means, times, and the
    names of all files. `strangeness` is that of the footage (see `World`); the orbit is shown in front of the `background`,
    with transparency as orbit.webm too. Raises InputError if the head cannot be
    measured."""
    targets, held_out = footage.targets, footage.held_out
    extent = run.settings.output
    steps = ("head", "views", "orbit", "mesh", "metrics", "report", "view")

    def done(name: str) -> None:
        progress("export " + name, steps.index(name) + 1, len(steps), {})

    save_head(head, folder / "head")
    done("head")
    with clock("views"):
        size = head.generator.resolution
        own_targets, own_unseen = (
            head.render_each(views.cameras, lambda render: render, rays, frames=False, sparse=True)
            for views, rays in ((targets, head.rays), (held_out, None if extent.thorough else head.rays))
        )
        predicted = head.with_frames(own_targets, targets.cameras, size, each_without_its_own=True)
        # the only view of a photo cannot be predicted from others: it shows the head as it is
        renders = predicted if len(targets) > 1 else head.with_frames(own_targets, targets.cameras, size)
        unseen = [render.image.cpu() for render in head.with_frames(own_unseen, held_out.cameras, size)]
        write_views(folder / VIEWS, targets, renders)
        write_unseen(folder / VIEWS, held_out, unseen)
    done("views")
    with clock("orbit"):
        yaws, pictures = write_orbit(
            head, folder / "orbit.mp4", extent.orbit_frames, extent.orbit_resolution, background=background
        )
        if background.transparent:
            cameras = along(head, "swing", extent.orbit_frames)
            write_film(head, cameras, "color", extent.orbit_resolution, folder / "orbit.webm", 30, "h264", False, background)
    done("orbit")
    with clock("mesh"):
        painted = paint(head, extract_mesh(head, extent.mesh_cells), targets, extent.texture)
        write_textured(painted, folder / MESH)
    done("mesh")
    with clock("metrics"):
        judges = judges_for(head.bundle, strangeness > OUTSIDE, head.generator.device)
        of_fitted = replace(judges, faces=None) if len(held_out) else judges  # unseen frames tell more, and each takes a while
        fit_rows = evaluate(targets, (render.image for render in predicted), head.bundle, of_fitted)
        ways: list[Iterable[Tensor]] = [(image.to(head.generator.device) for image in unseen)]
        if extent.thorough and head.lumigraph is not None:  # without frames it is what is measured anyway
            ways.append(render.image for render in own_unseen)
        held_rows, *own = evaluate_each(held_out, ways, head.bundle, judges)
        own_rows = own[0] if own else []
        metrics = _metrics(head, fit_rows, held_rows, own_rows, judges, strangeness)
    write_record(folder / "metrics.json", metrics)
    done("metrics")
    run = run.changed(
        means=metrics.means,
        outside=metrics.outside,
        seconds=clock.seconds,
        total_seconds=round(sum(clock.seconds.values()), 2),
        peak_memory_mb=float(peak_memory_mb()),
        peak_device_memory_mb=float(peak_device_memory_mb(head.generator.device)),
    )
    write_report(folder / "report.html", source, head, targets, renders, metrics, run, folder / "orbit.mp4")
    done("report")
    write_view(folder / VIEW, source.name, head, (folder / MESH).read_bytes(), yaws, pictures, targets)
    done("view")
    written = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    run = run.changed(files=tuple(sorted({*written, RUN})))
    write_record(folder / RUN, run)
    return run


def _metrics(
    head: Head,
    fit_rows: list[FrameMetrics],
    held_rows: list[FrameMetrics],
    own_rows: list[FrameMetrics],
    judges: Judges,
    strangeness: float,
) -> Metrics:
    fit = means(fit_rows)
    assert fit is not None
    names = head.bundle.names
    with finite_figures("the head cannot be measured"):
        return Metrics(
            held_out=means(held_rows),
            fit=fit,
            model=means(own_rows),
            strangeness=round(strangeness, 3),
            outside=strangeness > OUTSIDE,
            depth_consistency=depth_consistency(head) if len(head.track) > 1 else 0.0,
            latent_distance=head.track.neighbour_distance(),
            networks=MeasuredBy(
                perceptual=f"{names.perceptual}, which the fit also optimises",
                identity=f"{names.judge}, which the fit does not use" if judges.own else None,
                face_distance=None
                if judges.faces is None
                else f"dlib's face recogniser, which takes two faces for one person below {SAME_PERSON}",
            ),
            frames=BothFrames(tuple(held_rows), tuple(fit_rows)),
        )
