"""Figures of a finished head in one line of the terminal, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inv3d.core.helpers import OWN
from inv3d.core.plurals import number_of

_SHOWN = (
    ("psnr", "PSNR {:.1f} dB"),
    ("ms_ssim", "MS-SSIM {:.3f}"),
    ("lpips", "LPIPS {:.3f}"),
    ("identity", "ID {:.2f}"),
    ("face_distance", "face distance {:.2f}"),
)


def figures(means: Mapping[str, Any]) -> str:
    """The means that are known, such as "PSNR 23.1 dB, MS-SSIM 0.912, ID 0.95"."""
    known = [pattern.format(means[name]) for name, pattern in _SHOWN if means[name] is not None]
    if lost := means["face_lost"]:
        known.append(f"no face in {number_of(lost, 'render')}")
    return ", ".join(known)


def spent(run: Mapping[str, Any]) -> str:
    """Time and memory of a run, such as "77 s, peak memory 1.4 GB, of the device 3.2 GB"."""
    told = f"{run['total_seconds']:.0f} s, peak memory {run['peak_memory_mb'] / 1024:.1f} GB"
    device = run["peak_device_memory_mb"]
    return f"{told}, of the device {device / 1024:.1f} GB" if device else told


def likeness(means: Mapping[str, Any]) -> str:
    """The first figure of likeness that is known, an independent judge's before the model's own, in a few letters; empty if
    there is none."""
    for name, pattern in (("face_distance", "face {:.2f}"), ("identity", "ID {:.2f}"), ("lpips", "LPIPS {:.3f}")):
        if means[name] is not None:
            return pattern.format(means[name])
    return ""


def remarks_on(run: Mapping[str, Any]) -> Iterator[str]:
    """What a person should know about the figures of a run: what they mean, and which networks would have helped."""
    means = run["means"]["held_out"] or run["means"]["fit"]
    if means["face_distance"] is not None:
        yield "dlib takes two faces for one person below a face distance of 0.6; photos of one person lie 0.2 to 0.4 apart"
    elif run["outside"]:
        yield 'no likeness is given: the model has seen nothing like these pictures; for another judge, pip install "inv3d[photos]"'
    elif means["identity"] is not None:
        yield 'ID is what the model\'s own judge says; for an independent one, pip install "inv3d[photos]"'
    if run["perceptual"] == OWN:
        yield "perceptual loss by the model's own network; LPIPS would be better (--perceptual lpips-alex fetches its weights)"
