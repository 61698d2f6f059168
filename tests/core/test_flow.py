import torch

from inv3d.core.flow import carried, flow_between

SIZE = 96


def spots(shift: float) -> torch.Tensor:
    """Soft spots on grey, moved to the right by so many pixels."""
    across, down = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="xy")
    picture = torch.zeros(SIZE, SIZE)
    for x in range(0, SIZE, 16):
        for y in range(8, SIZE, 16):
            picture += torch.exp(-((across - x - shift).square() + (down - y).square()) / 20.0)
    return (0.8 - 1.4 * picture).expand(1, 3, -1, -1).contiguous()


def test_the_flow_tells_where_pixels_come_from():
    flow = flow_between(spots(2.0), spots(0.0))[0, :, 24:-24, 24:-24] * SIZE
    assert (flow[0] + 2.0).abs().mean() < 0.15
    assert flow[1].abs().mean() < 0.15


def test_a_picture_carried_along_the_flow_is_the_other_one():
    after, before = spots(2.0), spots(0.0)
    inner = (..., slice(24, -24), slice(24, -24))
    left = (carried(before, flow_between(after, before)) - after)[inner].abs().mean()
    assert left < 0.15 * (before - after)[inner].abs().mean()


def test_what_moved_too_far_stays():
    across, down = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="xy")

    def spot(x: int) -> torch.Tensor:
        return (0.8 - 1.4 * torch.exp(-((across - x).square() + (down - 48).square()) / 20.0)).expand(1, 3, -1, -1).contiguous()

    after, before = spot(44), spot(58)
    left = (carried(before, flow_between(after, before)) - before).abs().mean()
    assert left < 0.2 * (after - before).abs().mean()
