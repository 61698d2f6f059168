import dataclasses
import math

import pytest
import torch

from inv3d import photos
from inv3d.core.encoders.pyramid import build_encoder, small_config
from inv3d.core.errors import InputError
from inv3d.core.inversion.settings import FAST
from inv3d.core.training.dataset import load_images
from inv3d.photos import (
    NO_ENCODER,
    PhotoJob,
    draw_photos,
    invert_photo,
    shown_range,
    start_codes,
)
from inv3d.video.photo import Aligned
from inv3d.workspace import Workspace

QUICK = dataclasses.replace(FAST, rays_per_view=64, samples=6, whole_resolution=24)


@pytest.fixture
def aligned(demo):
    random = torch.Generator().manual_seed(2)
    camera = demo.info.camera(torch.tensor([0.2]), torch.tensor([0.05]))
    code = demo.generator.mapping(torch.randn(1, demo.info.generator.z_dim, generator=random))
    with torch.no_grad():
        return Aligned(demo.generator(code, camera, 64).image, camera, 0.9)


def test_the_orbit_shows_both_the_front_and_the_side_of_the_photo(demo):
    for yaw in (-50.0, 0.0, 20.0):
        low, high = shown_range(math.radians(yaw), demo)
        assert low < min(0.0, math.radians(yaw)) and high > max(0.0, math.radians(yaw))
    narrow = dataclasses.replace(demo, info=demo.info.changed(known_yaw=25.0))
    assert shown_range(0.0, narrow) == pytest.approx((math.radians(-25), math.radians(25)))


def test_codes_come_from_the_encoder_or_are_the_mean(demo, aligned):
    assert torch.equal(start_codes(aligned.image, demo, None)[0, 3], demo.mean_code)
    encoder = build_encoder(small_config(10, 128)).eval()
    assert torch.equal(start_codes(aligned.image, demo, encoder), encoder(aligned.image))


def test_no_steps_keep_code_camera_and_generator(demo, aligned):
    code = demo.mean_code.expand(1, 10, -1)
    head, view = invert_photo(aligned, code, demo, PhotoJob(settings=QUICK))
    assert torch.equal(head.track.codes, code)
    assert torch.equal(view.cameras.cam2world, aligned.camera.cam2world)
    own, base = head.generator.state_dict(), demo.generator.state_dict()
    assert all(torch.equal(own[name], base[name]) for name in base)


def test_steps_bring_the_head_nearer_and_a_stopped_run_goes_on(demo, aligned, tmp_path):
    code = demo.mean_code.expand(1, 10, -1)
    job = PhotoJob(settings=QUICK, encoder=NO_ENCODER, refine=15, tune=3)

    def error(head, view):
        return float((head.render(view.cameras, 64).image - aligned.image).square().mean())

    begin = error(*invert_photo(aligned, code, demo, dataclasses.replace(job, refine=0, tune=0)))
    told = []
    with Workspace(tmp_path / "out", [], False, False) as workspace:
        workspace.begin({})
        head, view = invert_photo(aligned, code, demo, job, workspace=workspace)
        assert error(head, view) < 0.7 * begin
        again, same = invert_photo(aligned, code, demo, job, lambda *a: told.append(a), workspace)
    assert not told and torch.equal(again.track.codes, head.track.codes)
    assert torch.equal(same.cameras.cam2world, view.cameras.cam2world)


def test_photos_become_a_training_set(demo, aligned, tmp_path, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (folder / name).touch()

    def align(path, bundle):
        if path.name == "b.png":
            raise InputError("no head is found in b.png", "")
        return aligned

    monkeypatch.setattr(photos, "align_photo", align)
    lines = []
    draw_photos(folder, demo, 32, tmp_path, lines.append)
    shard = load_images(tmp_path)
    assert shard["image"].shape == (2, 1, 3, 32, 32) and shard["yaw"].shape == (2, 1)
    assert shard["yaw"][0, 0] == pytest.approx(0.2, abs=1e-5)
    assert lines == ["left out: no head is found in b.png", "3 of 3 photos aligned"]
