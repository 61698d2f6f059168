import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from inv3d import replay
from inv3d.core.encoders.inverter import Start
from inv3d.core.errors import UsageError
from inv3d.replay import Flicker, ReplayJob, replay_clip, smoothed
from inv3d.video.decode import probe
from inv3d.video.material import Photographs, Recording
from inv3d.video.track import HeadTrack


def test_smoothing_keeps_what_is_steady_and_calms_what_is_not():
    times = torch.arange(40) / 30.0
    steady = torch.ones(40, 2, 3)
    assert torch.allclose(smoothed(steady, times), steady)
    noise = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    assert float(smoothed(noise, times).std()) < 0.6 * float(noise.std())
    assert torch.allclose(smoothed(noise, 100.0 * times), noise)  # frames that are far apart are not mixed


def test_flicker_is_what_steady_motion_has_none_of():
    steady, flickering = Flicker(), Flicker()
    for i in range(6):
        steady.see(torch.full((3, 4, 4), 0.1 * i))
        flickering.see(torch.full((3, 4, 4), 0.1 * (i % 2)))
    assert steady.mean == pytest.approx(0.0, abs=1e-4)
    assert flickering.mean == pytest.approx(0.1 * 127.5, rel=1e-3)


@pytest.fixture
def quick(demo, monkeypatch):
    """An encoder that knows the mean head alone, and a track of a few frames."""
    code = demo.generator.code_space.repeat(demo.mean_code[None])

    def inverter(views, bundle):
        return Start(code.expand(len(views), -1, -1), torch.full((len(views), 2), 0.1))

    monkeypatch.setattr(replay, "load_inverter", lambda bundle, name: None if name == "none" else inverter)
    track = Recording.track

    def few(self, bundle, head, counted):
        found = track(self, bundle, head, counted)
        return HeadTrack(found.frames[10:14], found.failed)

    monkeypatch.setattr(Recording, "track", few)


def test_a_clip_is_shown_beside_its_head(quick, clip, tmp_path):
    job = ReplayJob(material=Recording.of(clip), out=tmp_path / "out", sides=(0.0, 30.0), size=64)
    run = replay_clip(job)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["frames"] == run.frames == 4
    info = probe(tmp_path / "out" / "replay.mp4")
    assert (info.width, info.height, info.frames) == (3 * 64, 64, 4)
    codes = load_file(tmp_path / "out" / "codes.safetensors")
    assert len(codes["codes"]) == len(codes["angles"]) == len(codes["times"]) == 4
    assert run.flicker < 0.1 < run.flicker_of_clip  # the head stands still, the clip moves
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(run.files)
    with pytest.raises(UsageError, match="exists"):
        replay_clip(job)
    replay_clip(replace(job, force=True))


def test_a_replay_needs_a_clip_and_an_encoder(quick, clip, tmp_path):
    with pytest.raises(UsageError, match="only a clip"):
        replay_clip(ReplayJob(material=Photographs((tmp_path / "a.png", tmp_path / "b.png")), out=tmp_path / "out"))
    with pytest.raises(UsageError, match="needs an encoder"):
        replay_clip(ReplayJob(material=Recording.of(clip), out=tmp_path / "out", encoder="none"))
    assert not (tmp_path / "out").exists()
