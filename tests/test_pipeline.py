import shutil

import pytest

from inv3d.core.errors import UsageError
from inv3d.pipeline import VideoJob, video_to_head, without_frames
from inv3d.video.decode import FailedFrame
from inv3d.video.material import Recording
from inv3d.video.track import HeadTrack, TrackedFrame
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
