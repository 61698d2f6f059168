import dataclasses

import numpy as np
import pytest
import torch

from inv3d.core.views import Views
from inv3d.export import sides as module
from inv3d.export.sides import likeness, sides


def test_eight_sides_go_around_the_head(head):
    cameras = sides(head)
    assert len(cameras) == 8 and torch.allclose(cameras.pitch, torch.zeros(8), atol=1e-4)
    assert len({round(float(yaw), 2) for yaw in cameras.yaw}) == 8


def test_cameras_that_see_nearly_the_same_are_not_added(head):
    own, others = sides(head, [(0.0, 0.0), (90.0, 0.0)]), sides(head, [(10.0, 0.0), (180.0, 0.0)])
    both = module._more(own, others)
    assert torch.allclose(both.yaw.rad2deg().abs(), torch.tensor([0.0, 90.0, 180.0]), atol=1e-3)


def test_with_frames_the_renders_show_what_photos_would(head, monkeypatch):
    """At the frames' own size, and trusted although mattes are not wholly opaque."""
    monkeypatch.setattr(module, "_SHOTS", ((0.0, 0.0), (90.0, 0.0)))
    cameras, size = sides(head, [(0.0, 0.0)]), 2 * head.generator.resolution
    photo = Views(torch.zeros(1, 3, *(head.generator.resolution,) * 2), cameras, (0,), (0.0,))
    assert len(module.shots(head, photo)) == 3
    fine, mattes = torch.full((1, 3, size, size), 200, dtype=torch.uint8), torch.full((1, 1, 8, 8), 0.95)
    framed = head.showing(dataclasses.replace(photo, fine=fine, mattes=mattes))
    front, side = module.shots(framed, photo)
    assert front.image.shape == side.image.shape == (size, size, 3)
    middle = slice(size // 2 - 4, size // 2 + 4)
    assert np.abs(front.image[middle, middle] - 200 / 255).max() < 0.02
    assert front.trust[tuple(side // 2 for side in front.trust.shape)] > 0.3


def test_the_front_is_preferred_to_other_sides(head, monkeypatch):
    monkeypatch.setattr(module, "_SHOTS", ((30.0, 0.0), (0.0, 0.0), (0.0, 50.0), (180.0, 0.0)))
    first, front, *others = module.shots(head, resolution=16)
    assert front.preference > 4 and {shot.preference for shot in (first, *others)} == {1.0}


def test_likeness_is_the_psnr_of_what_both_cover(head):
    """A picture that is off by 0.1 everywhere, and by more outside the silhouette, has 20 dB."""
    front = head.frontal()

    def show(camera, size):
        own = front.render(camera, size).image[0].clamp(-1, 1).add(1).div(2).permute(1, 2, 0).numpy()
        off = np.full((size, size), 0.1)
        off[: size // 8] = 1.0  # not covered
        return own + off[..., None].astype(np.float32), off < 0.5

    found = likeness(head, show, 24)
    assert found.around == pytest.approx(20.0, abs=0.01) and found.face == pytest.approx(20.0, abs=0.01)


def test_shoulders_are_not_in_the_face_and_things_have_none(head):
    front = head.frontal()

    def show(camera, size):
        own = front.render(camera, size).image[0].clamp(-1, 1).add(1).div(2).permute(1, 2, 0).numpy()
        off = np.full((size, size, 1), 0.1, np.float32)
        off[-size // 7 :] = 0.8
        return own + off, np.ones((size, size), bool)

    found = likeness(head, show, 24)
    assert found.face == pytest.approx(20.0, abs=0.01) and found.around < 19
    info = head.bundle.info.model_copy(update={"subject": "things"})
    thing = dataclasses.replace(head, bundle=dataclasses.replace(head.bundle, info=info))
    assert likeness(thing, show, 24) == dataclasses.replace(found, face=None)


def test_what_covers_nothing_is_like_nothing(head):
    blank = likeness(head, lambda camera, size: (np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.bool_)), 16)
    assert blank.around == 0 and blank.face == 0
