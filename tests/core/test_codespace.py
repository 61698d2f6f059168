import pytest
import torch

from inv3d.core.codespace import CodeSpace

SPACE = CodeSpace(4, 2, {"shape": slice(0, 1), "looks": slice(1, 4), "sr": slice(3, 4)})
FINER = CodeSpace(5, 2, {"xy": slice(1, 3)}, origins=(0, 1, 2, 1, 3))


def test_codes_of_w_plus_mean_the_same_in_a_finer_space_and_come_back():
    codes = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    wide = FINER.widened(codes)
    assert wide.shape == (3, 5, 2) and torch.equal(FINER.take(wide, "xy"), codes[:, 1:3])
    assert torch.allclose(FINER.narrowed(wide), codes)
    assert SPACE.widened(codes) is codes and SPACE.narrowed(codes) is codes


def test_the_nearest_codes_of_w_plus_are_means():
    wide = torch.zeros(1, 5, 2)
    wide[:, 1], wide[:, 3], wide[:, 4] = 1.0, 3.0, 5.0
    assert FINER.narrowed(wide)[0, :, 0].tolist() == [0.0, 2.0, 0.0, 5.0]


def test_a_span_is_taken_by_its_name():
    codes = torch.arange(16.0).reshape(2, 4, 2)
    assert torch.equal(SPACE.take(codes, "sr"), codes[:, 3:])
    assert "looks" in SPACE and "xy" not in SPACE
    with pytest.raises(KeyError):
        SPACE.take(codes, "xy")


def test_one_vector_is_repeated_for_every_layer():
    w = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    codes = SPACE.repeat(w)
    assert codes.shape == (2, 4, 2)
    assert all(torch.equal(codes[:, i], w) for i in range(4))


def test_mixing_takes_only_the_named_span():
    mixed = SPACE.mix(torch.zeros(1, 4, 2), torch.ones(1, 4, 2), "looks")
    assert mixed[0, :, 0].tolist() == [0.0, 1.0, 1.0, 1.0]


def test_spans_are_layers_from_first_to_last():
    assert [SPACE.layers(name) for name in ("looks", "sr", None, "xy")] == [(1, 3), (3, 3), (0, 3), (0, 3)]
