import pytest
import torch

from inv3d.core.camera import look_at
from inv3d.export.sheet import generator_sheet, grid, mixing_sheet, people_sheet

CAMERAS = look_at(torch.tensor([-0.8, 0.8]), torch.zeros(2))


def silent(done: int, total: int) -> None:
    pass


def test_a_grid_fills_its_last_row_with_black():
    sheet = grid([torch.zeros(3, 4, 6)] * 3, 2)
    assert sheet.shape == (3, 8, 12)
    assert (sheet[:, 4:, 6:] == -1).all() and (sheet[:, :4] == 0).all()


def test_generator_and_source_draw_the_same_heads(demo):
    pytest.importorskip("warp", reason="people are drawn with the extra `train`")
    ours = generator_sheet(demo, [3, 4], CAMERAS, 48, 1.0, silent)
    truth = people_sheet([3, 4], CAMERAS, 48, silent)
    assert ours[0].shape == truth[0].shape == (3, 48, 96)
    error = torch.tensor([[float((a - b).square().mean()) for b in truth] for a in ours])
    assert error[0, 0] < 0.5 * error[0, 1] and error[1, 1] < 0.5 * error[1, 0]


def test_without_truncation_heads_differ_and_with_full_truncation_they_are_the_mean(demo):
    mean = generator_sheet(demo, [3, 4], CAMERAS, 24, 0.0, silent)
    assert torch.equal(mean[0], mean[1])


def test_mixing_takes_shape_from_rows_and_looks_from_columns(demo):
    front = CAMERAS[0]
    pictures = mixing_sheet(demo, [3, 4], front, 32, 1.0, silent)
    own = [generator_sheet(demo, [seed], front, 32, 1.0, silent)[0] for seed in (3, 4)]
    assert torch.allclose(pictures[0], own[0], atol=1e-4) and torch.allclose(pictures[3], own[1], atol=1e-4)
    assert demo.generator.code_space.spans["shape"] == slice(0, 5)
    # the background belongs to the looks
    assert torch.allclose(pictures[1][:, 0, 0], own[1][:, 0, 0], atol=0.02)
