import dataclasses

import pytest
import torch

from inv3d.core.camera import Rays
from inv3d.core.latents import LatentTrack
from inv3d.core.metrics.consistency import depth_consistency, mean_deviation
from inv3d.core.metrics.evaluate import evaluate, means
from inv3d.core.views import Views


def test_deviation_follows_equations_7_to_9():
    depths = torch.tensor([[[1.0, 1.0], [3.0, 1.0]], [[2.0, 0.0], [2.0, 2.0]]])  # 2 viewpoints, 2 codes, 2 pixels
    assert mean_deviation(depths) == pytest.approx((1 + 0 + 0 + 1) / 4)


def test_equal_codes_are_consistent_and_different_ones_are_not(head):
    same = LatentTrack(head.track.codes[:1].repeat(3, 1, 1), head.track.yaws)
    assert depth_consistency(dataclasses.replace(head, track=same), 3, 12) < 1e-6
    assert depth_consistency(head, 3, 12) > 1e-5


def test_a_head_reproduces_its_own_renders(head):
    cameras = head.camera(torch.tensor([-0.4, 0.4]), torch.zeros(2))
    images = torch.cat([head.render(cameras[i]).image for i in range(2)]).clamp(-1, 1)
    rows = evaluate(
        Views(images, cameras, (3, 8), (0.1, 0.4)), head.render_each(cameras, lambda r: r.image), head.bundle
    )
    assert [row.frame for row in rows] == [3, 8]
    assert rows[1].yaw == pytest.approx(22.9, abs=0.1)
    average = means(rows)
    assert average is not None
    assert average.mse < 1e-9 and average.identity == pytest.approx(1.0, abs=1e-4) and average.perceptual < 1e-6
    assert means([]) is None


def test_depths_are_compared_at_viewpoints_along_the_range_between_codes_of_these_places(head):
    low, high = head.yaw_range
    yaw = torch.linspace(low, high, 3)
    cameras = head.camera(yaw, torch.zeros(3))
    scene = head.scene(head.track.at(cameras))  # in common: its guide decides where all codes are sampled
    found = []
    for i in range(3):
        rays = Rays(*(each.expand(3, -1, -1) for each in cameras[i].rays(6)))
        found.append(head.generator.render_rays(scene, rays).depth)
    depths = torch.stack(found)
    spread = (depths - depths.mean(1, keepdim=True)).square().mean(1).sqrt().mean()
    assert depth_consistency(head, 3, 6) == pytest.approx(float(spread), rel=1e-5)
