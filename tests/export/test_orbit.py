import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inv3d.core.camera import Camera
from inv3d.core.head import Head
from inv3d.core.views import Views
from inv3d.export.background import TRANSPARENT, Background
from inv3d.export.orbit import write_orbit
from inv3d.video.decode import frames, probe


def test_the_orbit_swings_there_and_back(head, tmp_path):
    path = tmp_path / "orbit.mp4"
    write_orbit(head, path, frames=6, resolution=24, size=64)
    info = probe(path)
    assert (info.width, info.height, info.frames) == (64, 64, 6)
    images = [frame.image.astype(int) for frame in frames(path)]
    assert np.abs(images[1] - images[5]).mean() < 4 < np.abs(images[0] - images[3]).mean()


def test_the_orbit_stands_before_a_colour(head, tmp_path):
    _, pictures = write_orbit(head, tmp_path / "orbit.mp4", 4, 24, 64, background=Background((255, 0, 0)))
    assert np.abs(pictures[0][0, 0].astype(int) - (255, 0, 0)).max() < 3
    _, pictures = write_orbit(head, tmp_path / "white.mp4", 4, 24, 64, background=TRANSPARENT)
    assert pictures[0].shape == (64, 64, 3) and pictures[0][0, 0].min() > 252


def test_the_orbit_of_a_head_with_frames_needs_half_the_rays(head, tmp_path, monkeypatch):
    camera = head.camera(torch.zeros(2), torch.zeros(2))
    framed = head.showing(Views(head.render(camera, 32).image, camera, (0, 1), (0.0, 1.0)))
    asked = []
    render = type(head.generator).render

    def watched(self, scene, cameras, resolution=None, **named):
        asked.append(resolution)
        return render(self, scene, cameras, 16, **named)

    monkeypatch.setattr(type(head.generator), "render", watched)
    for one, rays in ((framed, head.generator.resolution // 2), (head, None)):
        asked.clear()
        _, pictures = write_orbit(one, tmp_path / "orbit.mp4", 4, size=64)
        assert asked == [rays] * 3 and pictures[0].shape == (64, 64, 3)


def test_the_orbit_goes_past_the_frames(head, tmp_path, monkeypatch):
    pitch = torch.tensor([0.15, 0.25])
    camera = head.camera(torch.tensor([-0.8, 0.9]), pitch)
    framed = head.showing(Views(head.render(camera, 32).image, camera, (0, 1), (0.0, 1.0)))
    asked: list[Camera] = []

    def grey(self: Head, cameras: Camera, *rest: object, **named: object) -> list[NDArray[np.uint8]]:
        asked.append(cameras)
        return [np.full((64, 64, 3), 128, np.uint8)] * len(cameras)

    monkeypatch.setattr(type(head), "render_each", grey)
    for one in (framed, head):
        write_orbit(one, tmp_path / "orbit.mp4", 4, size=64)
    assert asked[0].pitch[[0, 2]].tolist() == pytest.approx(pitch.tolist(), abs=0.02)
    assert asked[1].pitch.abs().max() < 1e-5
