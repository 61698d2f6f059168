import torch

from inv3d.core.filters import block_mean, box_mean, resized


def test_maps_of_the_right_size_stay_as_they_are():
    maps = torch.rand(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    assert resized(maps, 8) is maps
    assert torch.allclose(resized(maps, 4), maps.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean((3, 5)))


def test_means_are_taken_over_squares_and_the_edge_is_repeated():
    maps = torch.zeros(1, 1, 10, 10)
    maps[..., 5, 5] = 9.0
    maps[..., 0, 0] = 9.0
    found = box_mean(maps, 0.01)
    assert torch.allclose(found[0, 0, 4:7, 4:7], torch.ones(3, 3)) and float(found[0, 0, 3, 3]) == 0.0
    assert torch.allclose(found[0, 0, 0, 0], torch.tensor(4.0))  # the corner counts four times
    assert torch.allclose(box_mean(maps, 0.4)[0, 0, 5, 5], torch.tensor(9.0 / 25))


def test_means_of_blocks_are_those_of_pooling_and_the_edge_is_repeated():
    maps = torch.rand(2, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    for side in (1, 2, 4):
        torch.testing.assert_close(block_mean(maps, side), torch.nn.functional.avg_pool2d(maps, side))
    cut = block_mean(maps[..., :7, :5], 4)
    assert cut.shape == (2, 3, 2, 2)
    torch.testing.assert_close(cut[..., 0, 1], maps[..., :4, 4].mean(-1))
