import shutil

import pytest
import torch

from inv3d import pipeline
from inv3d.core.errors import UsageError
from inv3d.core.inversion.settings import FAST, PAPER
from inv3d.core.views import Views
from inv3d.pipeline import VideoJob, choice_of_perceptual, cut_footage, suited, video_to_head, without_frames
from inv3d.video.decode import FailedFrame
from inv3d.video.material import Photographs, Recording
from inv3d.video.select import Selection
from inv3d.video.track import HeadTrack, TrackedFrame
from tests import people
from tests.trees import tree


def test_frames_that_contradict_the_others_are_listed_as_failed():
    frames = tuple(TrackedFrame(i, 0.1 * i, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0) for i in range(10))
    left = without_frames(HeadTrack(frames, (FailedFrame(12, 1.2, "no head found"),)), [(6, 0.6), (1, 0.1)])
    assert [frame.index for frame in left.frames] == [0, 2, 3, 4, 5, 7, 8, 9]
    assert left.failed == (
        FailedFrame(1, 0.1, "contradicts the other views"),
        FailedFrame(6, 0.6, "contradicts the other views"),
        FailedFrame(12, 1.2, "no head found"),
    )


@pytest.mark.parametrize(
    ("asked", "strangeness", "here", "chosen"),
    [
        ("auto", 1.2, "lpips-alex", "lpips-alex"), ("auto", 1.2, "own", "own"), ("auto", 0.5, "lpips-alex", "lpips-alex"),
        ("own", 1.2, "lpips-alex", "own"), ("lpips-vgg", 0.5, "own", "lpips-vgg"),
    ],
)  # fmt: skip
def test_the_perceptual_network_suits_the_pictures(demo, monkeypatch, asked, strangeness, here, chosen):
    loaded = []
    monkeypatch.setattr(pipeline, "best_perceptual", lambda: here)

    def helped(bundle, perceptual, *others):
        loaded.append(perceptual)
        return bundle

    monkeypatch.setattr(pipeline, "with_helpers", helped)
    monkeypatch.setattr(type(demo), "strangeness", lambda self, images: strangeness)
    view = Views(torch.zeros(1, 3, 8, 8), demo.info.front, (0,), (0.0,))
    seen = suited(demo, asked, view)
    assert (seen.perceptual, seen.strangeness) == (chosen, strangeness)
    assert loaded == ([chosen] if asked == "auto" else [])


def test_pictures_of_a_clip_know_their_places_in_it(demo, clip, monkeypatch):
    frames = [TrackedFrame(i, 0.1 * i, 150.0 + i, 90.0, 60.0, 0.1, 0.3 * i, 0.0, 1.0) for i in range(4)]
    chosen = Selection(tuple(frames[:2]), (frames[2],), (frames[3],))
    footage = cut_footage(Recording.of(clip), demo, chosen)
    assert footage.places is not None and footage.places.center[:, 0].tolist() == [150.0, 151.0, 152.0, 153.0]
    asked = []

    def cut_out(views, places):
        asked.append((views.frames, places))
        return torch.ones_like(views.images[:, :1])

    footage.without_room(cut_out)
    assert asked == [((0, 1, 2, 3), footage.places)]
    photos = Photographs((people.FOLDER / "other.jpg",))
    assert cut_footage(photos, demo, Selection(tuple(frames[:1]), (), ())).places is None


def test_a_run_is_another_one_once_weights_arrive(monkeypatch):
    monkeypatch.setattr(pipeline, "best_perceptual", lambda: "own")
    before = choice_of_perceptual("auto")
    monkeypatch.setattr(pipeline, "best_perceptual", lambda: "lpips-alex")
    assert choice_of_perceptual("auto") != before and choice_of_perceptual("own") == "own"


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("out", ["vd/clip.mp4", "vd", ".", "vd/../vd", "link"])
def test_the_clip_and_what_holds_it_are_never_replaced(clip, tmp_path, out, resume):
    (tmp_path / "vd").mkdir()
    shutil.copy(clip, tmp_path / "vd" / "clip.mp4")
    (tmp_path / "link").symlink_to("vd", target_is_directory=True)
    before = tree(tmp_path)
    job = VideoJob(material=Recording.of(tmp_path / "vd" / "clip.mp4"), out=tmp_path / out, force=True, resume=resume)
    with pytest.raises(UsageError, match="contains the input"):
        video_to_head(job)
    assert tree(tmp_path) == before


@pytest.mark.parametrize(("has", "steps"), [(True, 150), (False, 200)])
def test_from_an_encoders_codes_fewer_steps_are_taken(demo, monkeypatch, has, steps):
    monkeypatch.setattr(pipeline, "has_encoder", lambda model, name: has)
    settings = pipeline.settings_for_several(demo, FAST)
    assert settings.wplus_steps == steps and (settings.encoded is not None) == has
    assert pipeline.settings_for_several(demo, PAPER) == PAPER
