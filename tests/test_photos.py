import dataclasses
import hashlib
import json
import math

import pytest
import torch

from inv3d import photos
from inv3d.core.encoders.kinds import NO_ENCODER
from inv3d.core.errors import InputError, UsageError
from inv3d.core.helpers import OWN
from inv3d.core.inversion.methods import course_of
from inv3d.core.inversion.settings import FAST
from inv3d.core.views import Views
from inv3d.photos import PhotoJob, align_photos, described, photos_to_heads, shown_range
from inv3d.video.photo import Aligned
from tests.test_destination import made
from tests.trees import tree

QUICK = dataclasses.replace(FAST, rays_per_view=64, samples=6, whole_resolution=24)


@pytest.fixture
def aligned(demo):
    random = torch.Generator().manual_seed(2)
    camera = demo.info.camera(torch.tensor([0.2]), torch.tensor([0.05]))
    code = demo.generator.mapping(torch.randn(1, demo.generator.z_dim, generator=random))
    with torch.no_grad():
        return Aligned(Views(demo.generator(code, camera, 64).image, camera, (0,), (0.0,)), 0.9)


def test_the_orbit_shows_both_the_front_and_the_side_of_the_photo(demo):
    for yaw in (-50.0, 0.0, 20.0):
        low, high = shown_range(math.radians(yaw), demo)
        assert low < min(0.0, math.radians(yaw)) and high > max(0.0, math.radians(yaw))
    narrow = dataclasses.replace(demo, info=demo.info.changed(known_yaw=25.0))
    assert shown_range(0.0, narrow) == pytest.approx((math.radians(-25), math.radians(25)))


def test_photos_that_cannot_be_used_are_reported_and_left_out(demo, tmp_path, monkeypatch):
    camera = demo.info.camera(torch.tensor([0.2]), torch.zeros(1))

    def align(path, bundle):
        if path.name == "b.png":
            raise InputError("no head was found in b.png", "")
        return Aligned(Views(torch.zeros(1, 3, 8, 8), camera, (0,), (0.0,)), 0.9)

    monkeypatch.setattr(photos, "align_photo", align)
    lines: list[str] = []
    views = align_photos([tmp_path / name for name in ("a.png", "b.png", "c.png")], demo, lines.append)
    assert views is not None and len(views) == 2 and lines == ["left out: no head was found in b.png"]
    assert align_photos([tmp_path / "b.png"], demo, lines.append) is None


@pytest.mark.parametrize(("confidence", "warned"), [(0.5, 1), (0.9, 0)])
def test_a_photo_whose_side_may_be_misread_is_warned_of_in_the_report_and_the_record(
    demo, aligned, tmp_path, monkeypatch, confidence, warned
):
    told: list[tuple[str, ...]] = []

    def write(head, footage, folder, source, run, *rest, **named):
        told.extend((source.warnings, run.warnings))
        raise KeyboardInterrupt

    unsure = dataclasses.replace(aligned, confidence=confidence)
    monkeypatch.setattr(photos, "align_photo", lambda photo, bundle, head=None: unsure)
    monkeypatch.setattr(photos, "write_output", write)
    (tmp_path / "a.jpg").write_bytes(b"person 1")
    with pytest.raises(KeyboardInterrupt):
        photos_to_heads([tmp_path / "a.jpg"], [tmp_path / "out"], PhotoJob(settings=QUICK, encoder=NO_ENCODER, refine=1, perceptual=OWN))
    assert told[0] == told[1] and len(told[0]) == warned and all("confidence (0.50)" in line for line in told[0])


def test_the_report_says_how_a_photo_was_inverted():
    plain = PhotoJob(settings=FAST, refine=2)
    assert described(plain) == "encoder preim3d, 2 W+ steps"
    course = course_of(FAST, "3dinv", "given", refine=16, tune=3)
    assert described(PhotoJob(**vars(course))) == "method 3dinv (camera given), encoder preim3d, 16 W steps, 3 tuning steps"


@pytest.mark.parametrize("resume", [True, False])
def test_a_folder_with_any_of_the_photos_is_never_replaced(tmp_path, resume):
    (tmp_path / "dl").mkdir()
    photos = [tmp_path / "dl" / "face.jpg", tmp_path / "other.jpg"]
    for photo in photos:
        photo.write_text("photo")
    before = tree(tmp_path)
    job = PhotoJob(force=True, resume=resume)
    for outputs in ([tmp_path / "new", tmp_path / "dl"], [photos[0], tmp_path / "new"], [tmp_path / "new", tmp_path]):
        if resume and outputs[1].exists():
            continue
        with pytest.raises(UsageError, match="contains the input"):
            photos_to_heads(photos, outputs, job)
        assert tree(tmp_path) == before


@pytest.mark.parametrize("force", [True, False])
def test_only_a_head_of_this_very_photo_is_passed_over(tmp_path, force, monkeypatch):
    """Three photos were done; then one was replaced by another of the same size, and one's head is no head."""
    pictures = [tmp_path / f"{name}.jpg" for name in ("same", "replaced", "none")]
    outputs = [made(tmp_path / f"{name}-inv3d") for name in ("same", "replaced", "none")]
    for photo, out in zip(pictures, outputs, strict=True):
        photo.write_bytes(b"person 1")
        run = json.loads((out / "run.json").read_text())
        (out / "run.json").write_text(json.dumps({**run, "sha256": hashlib.sha256(b"person 1").hexdigest()}))
    pictures[1].write_bytes(b"person 2")
    (outputs[2] / "run.json").unlink()
    before = tree(tmp_path)
    monkeypatch.setattr(photos, "align_photo", lambda photo, bundle, head=None: pytest.fail("it was begun anew"))
    job = PhotoJob(encoder=NO_ENCODER, resume=True, force=force)
    if force:  # what is not inv3d's is not replaced either
        with pytest.raises(UsageError, match="not made by inv3d"):
            photos_to_heads(pictures, outputs, job)
    else:
        same, other, none = photos_to_heads(pictures, outputs, job)
        assert same.error is None and same.run is None
        assert "made from an earlier version" in str(other.error) and "not made by inv3d" in str(none.error)
    assert tree(tmp_path) == before


def test_an_unfinished_head_of_another_photo_is_not_gone_on_with(demo, aligned, tmp_path, monkeypatch):
    """The photo was replaced by another of the same size and date."""
    photo, out = tmp_path / "a.jpg", tmp_path / "out"
    photo.write_bytes(b"person 1")
    monkeypatch.setattr(photos, "align_photo", lambda photo, bundle, head=None: aligned)

    def stopped(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(photos, "write_output", stopped)
    job = PhotoJob(settings=QUICK, encoder=NO_ENCODER, refine=1, perceptual=OWN)
    with pytest.raises(KeyboardInterrupt):
        photos_to_heads([photo], [out], job)
    photo.write_bytes(b"person 2")
    before = tree(tmp_path)
    [result] = photos_to_heads([photo], [out], dataclasses.replace(job, resume=True))
    assert "other settings: the input" in str(result.error)
    assert tree(tmp_path) == before
