import torch

from inv3d.core.filters import box_mean
from inv3d.core.outlines import continued
from tests.core.test_lumigraph import ball, camera


def test_the_depth_of_the_room_does_not_count_at_outlines():
    depth, alpha, _ = ball(camera(0.0))
    soft, room = box_mean(alpha, 0.05), float(depth.amax()) + 0.5
    mixed = torch.lerp(torch.full_like(depth, room), depth, soft)
    clean, found = continued(depth, soft)[0], continued(mixed, soft)[0]
    outline = (soft > 0.1) & (soft < 0.9)
    assert (found - clean)[outline].abs().max() < 0.02 < 0.1 < (mixed - depth)[outline].mean()
