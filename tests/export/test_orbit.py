import numpy as np

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
