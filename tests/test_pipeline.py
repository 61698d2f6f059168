import shutil

import pytest
import torch

from inv3d.core.camera import Camera
from inv3d.core.errors import UsageError
from inv3d.core.views import Views
from inv3d.pipeline import Prepared, VideoJob, video_to_head, without_outliers
from inv3d.video.decode import FailedFrame
from inv3d.video.track import HeadTrack, TrackedFrame
from tests.trees import tree

YAWS = (-0.6, -0.2, 0.2, 0.6)


@pytest.fixture(scope="module")
def code(demo):
    z = torch.randn(1, demo.info.generator.z_dim, generator=torch.Generator().manual_seed(5))
    return demo.generator.mapping(z)


def views(demo, code, yaws, first, wrong=()):
    """Renders of a code from `yaws`; those of the rows `wrong` claim to be from the other side."""

    def cameras(angles) -> Camera:
        return demo.info.camera(torch.tensor(angles), torch.zeros(len(angles)))

    with torch.no_grad():
        images = torch.cat([demo.generator(code, cameras([yaw]), 48).image for yaw in yaws])
    claimed = [yaw + 1.2 * (row in wrong) for row, yaw in enumerate(yaws)]
    return Views(images, cameras(claimed), tuple(range(first, first + len(yaws))), tuple(0.1 * yaw for yaw in yaws))


def prepared(demo, code, wrong_targets, wrong_between):
    frames = tuple(TrackedFrame(i, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0) for i in range(10))
    parts = views(demo, code, YAWS, 0, wrong_targets), views(demo, code, YAWS[:3], 4, wrong_between)
    return Prepared(HeadTrack(frames, (FailedFrame(12, 0.4, "no head found"),)), *parts, parts[0][[]])


def test_views_with_wrong_poses_are_left_out_and_named(demo, code):
    left = without_outliers(prepared(demo, code, {1}, {2}), code, demo)
    assert left.targets.frames == (0, 2, 3) and left.between.frames == (4, 5)
    assert [frame.index for frame in left.track.frames] == [0, 2, 3, 4, 5, 7, 8, 9]
    assert [(frame.index, frame.reason) for frame in left.track.failed] == [
        (1, "contradicts the other views"), (6, "contradicts the other views"), (12, "no head found")
    ]  # fmt: skip


def test_views_that_agree_all_stay(demo, code):
    whole = prepared(demo, code, (), ())
    left = without_outliers(whole, code, demo)
    assert left.targets.frames == whole.targets.frames and left.between.frames == whole.between.frames
    assert left.track == whole.track


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("out", ["vd/clip.mp4", "vd", ".", "vd/../vd", "link"])
def test_the_clip_and_what_holds_it_are_never_replaced(clip, tmp_path, out, resume):
    (tmp_path / "vd").mkdir()
    shutil.copy(clip, tmp_path / "vd" / "clip.mp4")
    (tmp_path / "link").symlink_to("vd", target_is_directory=True)
    before = tree(tmp_path)
    with pytest.raises(UsageError, match="holds the input"):
        video_to_head(VideoJob(tmp_path / "vd" / "clip.mp4", tmp_path / out, force=True, resume=resume))
    assert tree(tmp_path) == before
