import pytest
import torch

from inv3d.core.codespace import CodeSpace

SPACE = CodeSpace(4, 2, {"shape": slice(0, 1), "looks": slice(1, 4), "sr": slice(3, 4)})


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
