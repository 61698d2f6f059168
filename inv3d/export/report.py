"""The report: one self-contained page with pictures, a curve of likeness over yaw, figures and settings."""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from inv3d.core.generator import Render
from inv3d.core.head import Head
from inv3d.core.metrics.evaluate import FrameMetrics
from inv3d.core.metrics.judges import SAME_PERSON
from inv3d.core.plurals import number_of
from inv3d.core.printable import printable
from inv3d.core.views import Views
from inv3d.core.world import OUTSIDE
from inv3d.export.pictures import column, data_uri, row
from inv3d.export.results import TITLES, BothFrames, Metrics, Run

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1d232a; }
h1 { margin-bottom: 0; overflow-wrap: anywhere; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #d6dbe0; }
img, video, svg { max-width: 100%; height: auto; } table { border-collapse: collapse; }
td, th { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid #e6e9ec; }
td:first-child, th:first-child, td.note { text-align: left; } .note { color: #5a6672; } pre { overflow-x: auto; background: #f4f6f8; padding: 1rem; }
figure { margin: 1rem 0; } summary { cursor: pointer; } figcaption { color: #5a6672; } video { width: 24rem; border-radius: 6px; }
"""

_SHOWN_FAILURES = 10
_METRICS = (
    ("mse", "MSE", "lower is better; images in [-1, 1]"),
    ("psnr", "PSNR (dB)", "higher is better"),
    ("ms_ssim", "MS-SSIM", "higher is better"),
    ("perceptual", "perceptual distance", "lower is better"),
    ("lpips", "LPIPS (AlexNet)", "lower is better"),
    ("identity", "ID similarity", "higher is better"),
    ("face_distance", "face distance", "lower is better; photos of one person usually lie 0.2 to 0.4 apart"),
    ("face_lost", "renders without a face", "frames in which a face is found, though not in their renders"),
)
_LIKENESS = (("identity", "ID", 1), ("face_distance", "face distance", -1), ("lpips", "LPIPS", -1))
"""Figures of likeness, of which the first that is known is drawn over yaw: field, label, and the
sign that makes larger values better."""


@dataclass(frozen=True)
class Source:
    """A description of the input: the file's `name`, the `method`, the `coverage` of yaws, the use of the `frames`, the
    reasons of those that `failed`, and `warnings`."""

    name: str
    method: str
    coverage: str
    frames: str
    failed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def _curve(fit_rows: Sequence[FrameMetrics], held_rows: Sequence[FrameMetrics], field: str, label: str) -> str:
    """A figure of likeness over yaw as inline SVG (Figure 3 of Barthel et al.)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    held, fitted = (
        sorted((row.yaw, float(getattr(row, field))) for row in rows if getattr(row, field) is not None)
        for rows in (held_rows, fit_rows)
    )
    axes.plot(*zip(*held, strict=True), color="#c2452d", label="unseen frames")
    if fitted:
        axes.plot(*zip(*fitted, strict=True), "o", color="#2b5d8a", label="fitted views")
    axes.set_xlabel("yaw (degrees)")
    axes.set_ylabel(label)
    values = [value for _, value in (*held, *fitted)]
    if field == "identity":
        # the axis starts at 0.9 at the latest: a change in the third decimal must not look like a drop
        axes.set_ylim(min(0.9, *(value - 0.02 for value in values)), 1.005)
    else:
        axes.set_ylim(0.0, max(SAME_PERSON, *values) * 1.05)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower center")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _comparison(targets: Views, renders: list[Render]) -> str:
    """Targets, renders and depth: one column for each view, or side by side for a single view."""
    columns = []
    low, high = math.inf, -math.inf
    for render in renders:
        covered = render.depth[render.alpha > 0.9]
        if len(covered):
            low, high = min(low, float(covered.min())), max(high, float(covered.max()))
    for i, render in enumerate(renders):
        shade = (1.0 - 2.0 * (render.depth - low) / max(high - low, 1e-6)).clamp(-1, 1)
        depth = torch.where(render.alpha > 0.5, shade, torch.ones_like(shade)).expand(-1, 3, -1, -1)
        size = targets.images.shape[-1]
        depth = F.interpolate(depth, (size, size))
        columns.append([targets.images[i], render.image[0].cpu(), depth[0].cpu()])
    if len(columns) == 1:
        picture, caption = row(columns[0]), "Left to right: the target, the render, its depth (brighter is closer)."
    else:
        picture = row([column(images) for images in columns])
        caption = "Top to bottom: the targets, the renders, their depth (brighter is closer)."
    return f"""<figure><img alt="targets, renders and depth" src="{data_uri(picture)}"><figcaption>{caption}</figcaption></figure>"""


def _table(metrics: Metrics) -> str:
    """Means over unseen frames and over fitted views side by side; a photo has no frames to hold out."""
    columns = {title: means for name, title in TITLES.items() if (means := getattr(metrics, name)) is not None}
    head = "".join(f"<th>{title}</th>" for title in columns)
    rows = "".join(
        f"<tr><td>{label}</td>"
        + "".join(f"<td>{_shown(getattr(means, name))}</td>" for means in columns.values())
        + f"<td class=note>{note}</td></tr>"
        for name, label, note in _METRICS
        if any(getattr(means, name) for means in columns.values())
    )
    return f"<table><tr><th></th>{head}<th></th></tr>{rows}</table>"


def _shown(value: float | None) -> str:
    return "&ndash;" if value is None else f"{value:.4g}"


def _likeness(rows: Sequence[FrameMetrics]) -> tuple[str, str, int] | None:
    """The first figure of likeness that some of the rows have."""
    known = (each for each in _LIKENESS if any(getattr(row, each[0]) is not None for row in rows))
    return next(known, None)


def _over_yaw(frames: BothFrames) -> str:
    likeness = _likeness(frames.held_out)
    if likeness is None:
        return ""
    field, label, _ = likeness
    return f"<h2>{label[0].upper() + label[1:]} over yaw</h2>{_curve(frames.fit, frames.held_out, field, label)}"


def _lent(run: Run, several: bool) -> str:
    """What the frames' own pixels mean for pictures and figures."""
    if not run.settings.output.frames:
        return ""
    if several:
        return (
            "Renders take their colours from the frames that saw the same point of the head. Here each fitted view does "
            "without its own frame: it is predicted from the others. "
        )
    return (
        "Renders take their colours from the photo where it saw the same point of the head, so the picture above repeats the "
        "photo; the figures are those of the generator alone. "
    )


def _judged(metrics: Metrics) -> str:
    """Which networks measured, and which could not."""
    networks = metrics.networks
    lines = [f"The perceptual distance is measured by {_text(networks.perceptual)}."]
    if networks.identity is not None:
        lines.append(f"ID is measured by {_text(networks.identity)}.")
    if networks.face_distance is not None:
        lines.append(f"The face distance is that of {_text(networks.face_distance)}.")
    elif metrics.outside:
        lines.append(
            "The pictures are unlike all that the model's own judge has seen: no ID is given, because it would mean nothing "
            f"(strangeness {metrics.strangeness:.2f}; pictures that it knows reach {OUTSIDE})."
        )
    if networks.face_distance is None and (networks.identity is not None or metrics.outside):
        lines.append("For an independent figure of likeness, install the extra <code>inv3d[photos]</code>.")
    return " ".join(lines)


def _remarks(metrics: Metrics) -> str:
    """Remarks: how consistent several codes are, and which of several views fits worst."""
    remarks = []
    if metrics.latent_distance:
        remarks.append(
            f"Depth consistency (Eq. 7&ndash;9): {metrics.depth_consistency:.4f} world units; mean distance between "
            f"neighbouring codes: {metrics.latent_distance:.2f}."
        )
    rows, which = metrics.frames.held_out, "unseen frame"
    if not rows:
        rows, which = metrics.frames.fit, "view"
    likeness = _likeness(rows)
    if len(rows) > 1 and likeness is not None:
        field, label, sign = likeness
        known = [row for row in rows if getattr(row, field) is not None]
        weakest = min(known, key=lambda row: sign * float(getattr(row, field)))
        remarks.append(
            f"Least similar {which}: frame {weakest.frame}, yaw {weakest.yaw:z.0f}&deg;, "
            f"{label} {getattr(weakest, field):.3f}."
        )
    return "".join(f"<p>{remark}</p>" for remark in remarks)


def _frames(source: Source) -> str:
    """How the frames were used; a long list of failures is collapsed."""
    if not source.failed:
        return f"<p>{_text(source.frames)}</p>"
    lines = "".join(f"<li>{_text(line)}</li>" for line in source.failed)
    shown = " open" if len(source.failed) <= _SHOWN_FAILURES else ""
    return f"<details{shown}><summary>{_text(source.frames)}</summary><ul>{lines}</ul></details>"


def _warnings(source: Source) -> str:
    lines = "".join(f"<li>{_text(line)}</li>" for line in source.warnings)
    return f"<ul>{lines}</ul>" if lines else ""


def _text(text: str) -> str:
    """Text from outside, escaped for the page."""
    return html.escape(printable(text))


def write_report(
    path: Path,
    source: Source,
    head: Head,
    targets: Views,
    renders: list[Render],
    metrics: Metrics,
    run: Run,
    orbit: Path,
) -> None:
    """Write the self-contained page; `renders` are those of the `targets`, `orbit` the video it shows."""
    settings = run.model_dump(mode="json", exclude={"frames", "files"})
    video = base64.b64encode(orbit.read_bytes()).decode()
    info = head.bundle.info
    codes = number_of(len(head.track), "latent code")
    several = len(targets) > 1
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>inv3d: {_text(source.name)}</title><style>{_STYLE}</style></head><body>
<h1>{_text(source.name)}</h1>
<p class=note>{_text(source.method)}, {codes}, model {_text(head.bundle.name)} ({_text(info.license)}), {run.total_seconds:.0f} s</p>
<video controls loop autoplay muted src="data:video/mp4;base64,{video}"></video>
<p><a href="view.html">Turn the head</a> on a page of its own.</p>
<p>{_text(source.coverage)} The model's training data cover yaws up to &plusmn;{info.known_yaw:.0f}&deg;.</p>
{_warnings(source)}<h2>{"Fitted views" if several else "Fitted view"}</h2>
{_comparison(targets, renders)}
<h2>Figures</h2>
{_table(metrics)}
{_remarks(metrics)}
<p class=note>{_lent(run, several)}{_judged(metrics)}</p>
{_over_yaw(metrics.frames)}
<h2>Frames</h2>
{_frames(source)}
<h2>Settings</h2>
<pre>{html.escape(json.dumps(settings, indent=2))}</pre>
</body></html>
"""
    path.write_text(page, encoding="utf-8")
