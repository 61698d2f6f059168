import dataclasses
import itertools
import json
import time
from pathlib import Path

import pytest

from inv3d import estimate
from inv3d.core.encoders.kinds import E3DGE, PREIM3D
from inv3d.core.inversion.settings import FAST, PAPER_FAST, FitSettings, OutputSettings
from inv3d.photos import PhotoJob
from inv3d.pipeline import VideoJob, settings_for_several
from inv3d.video.material import Recording
from tests import tiny
from tests.pretend import DEVICE, pretended

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
FEW = dataclasses.replace(
    PAPER_FAST, pose_steps=20, wplus_steps=100, latent_steps=30, tuning_steps=7, views_per_step=2, between_per_step=1
)


@pytest.mark.parametrize(("views", "latents", "steps"), [(3, True, 157), (3, False, 127), (1, True, 127)])
def test_a_fit_takes_as_long_as_its_steps(demo, monkeypatch, views, latents, steps):
    clock = itertools.count(step=2.0)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert estimate.trial_fit(tiny.with_generator(demo), FEW, views, latents) == 2.0 * steps


@pytest.mark.parametrize("name", ["command", "command-draft"])
def test_the_parts_of_a_run_take_what_they_were_measured_to_take(demo, name):
    """In `benchmarks/command.py`, by the trial renders that it made."""
    told = json.loads((RESULTS / f"{name}.json").read_text())
    settings = FitSettings(**{**told["settings"], "output": OutputSettings(**told["settings"]["output"])})
    render = sum(trial for _, trial in told["estimates"]) / 2
    spent = {stage: busy for stage, (_, busy) in told["stages"].items()}
    fit = sum(spent.get(stage, 0.0) for stage in ("W+", "latents", "tuning"))  # a draft has no latents
    output = sum(spent[stage] for stage in ("depths of frames, head", "views", "orbit", "mesh", "metrics", "report", "page"))
    assert estimate.fit_renders(demo, settings, 9, True) * render == pytest.approx(fit, rel=0.15)
    assert estimate.output_renders(demo, settings.output, 9) * render == pytest.approx(output, rel=0.15)


def test_a_clip_takes_all_of_its_parts(demo, clip, monkeypatch):
    monkeypatch.setattr(estimate, "trial_render", lambda *trial: 0.1)
    job = VideoJob(material=Recording.of(clip), out=clip, views=9, latents=True, settings=FAST)
    parts = estimate.fit_renders(demo, settings_for_several(demo, FAST), 9, True) + estimate.output_renders(demo, FAST.output, 9)
    assert estimate.video_seconds(job) == pytest.approx(0.1 * parts, rel=0.2)
    assert estimate.video_seconds(job) > 0.1 * parts + job.material.seconds_to_track(FAST.frame_rate)


def test_local_detail_makes_a_photo_take_about_twice_as_long(demo, monkeypatch):
    """As measured: 108 s instead of 54 s."""
    monkeypatch.setattr(estimate, "trial_render", lambda *trial: 0.3)
    plain, detailed = (estimate.photo_seconds(PhotoJob(encoder=encoder, settings=FAST), 1) for encoder in (PREIM3D, E3DGE))
    assert 1.6 < detailed / plain < 2.2


def test_a_cpu_makes_no_steps_to_tell_how_long_they_take_and_a_gpu_does(demo, monkeypatch):
    monkeypatch.setattr(estimate, "trial_fit", lambda *job: 77.0)
    renders = estimate.fit_renders(demo, FAST, 9, True)
    assert estimate.fit_seconds(demo, FAST, 9, True, 0.1) == renders * 0.1
    with pretended():
        there = tiny.with_generator(demo, device=DEVICE)
        assert estimate.fit_seconds(there, FAST, 9, True, 0.1) == 77.0
        assert estimate.fit_seconds(there, FAST, 9, True, float("inf")) == float("inf")
