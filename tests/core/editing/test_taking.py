import pytest
import torch

from inv3d.core.codespace import CodeSpace
from inv3d.core.editing.edits import displaced
from inv3d.core.editing.taking import take, trait_names
from inv3d.core.editing.traits import Trait
from inv3d.core.errors import UsageError

SPACE = CodeSpace(5, 4, {"shape": slice(0, 2), "looks": slice(2, 5)})
AXES = torch.eye(4)
HAIR = (
    Trait("hair", "hair", "shape", AXES[:1], AXES[:1]),
    Trait("hair", "hair", "looks", AXES[1:3], AXES[1:3]),
)


def codes(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 5, 4, generator=torch.Generator().manual_seed(seed))


def test_a_trait_is_taken_in_its_own_dimensions_of_its_own_spans():
    own, other = codes(3, 1), codes(2, 2)
    moved = displaced(own, [take("hair", HAIR, own, other, SPACE, "bob")], SPACE)
    for span, axes in (("shape", [0]), ("looks", [1, 2])):
        before, after, wanted = (SPACE.take(each, span).mean((0, 1)) for each in (own, moved, other))
        rest = [i for i in range(4) if i not in axes]
        assert torch.allclose(after[axes], wanted[axes], atol=1e-5)
        assert torch.allclose(after[rest], before[rest], atol=1e-5)


def test_all_codes_move_alike():
    own = codes(3, 1)
    moved = displaced(own, [take("hair", HAIR, own, codes(1, 2), SPACE, "bob")], SPACE) - own
    assert torch.allclose(moved, moved[:1].expand(3, -1, -1), atol=1e-6) and moved.abs().max() > 0.1


@pytest.mark.parametrize(("name", "rows"), [("shape", [0, 1]), ("looks", [2, 3, 4]), ("code", [0, 1, 2, 3, 4])])
def test_spans_and_whole_codes_are_exchanged(name, rows):
    own, other = codes(1, 1), codes(1, 2)
    moved = displaced(own, [take(name, (), own, other, SPACE, "bob")], SPACE)
    for row in range(5):
        assert torch.allclose(moved[:, row], (other if row in rows else own)[:, row], atol=1e-6)


def test_layers_limit_what_is_taken():
    own, other = codes(1, 1), codes(1, 2)
    edit = take("code", (), own, other, SPACE, "bob", (1, 2))
    moved = displaced(own, [edit], SPACE)
    assert torch.allclose(moved[:, 1:3], other[:, 1:3], atol=1e-6) and torch.equal(moved[:, 3:], own[:, 3:])
    assert (edit.first, edit.last) == (1, 2)
    with pytest.raises(UsageError, match="no layer 5"):
        take("code", (), own, other, SPACE, "bob", (1, 5))


def test_an_edit_says_what_was_taken_from_whom():
    assert str(take("hair", HAIR, codes(1, 1), codes(1, 2), SPACE, "bob")) == "hair from bob"
    assert len(take("hair", HAIR, codes(1, 1), codes(1, 2), SPACE, "bob\n" * 60).name) == 64


def test_other_names_are_refused():
    assert trait_names(HAIR, SPACE) == ["hair", "shape", "looks", "code"]
    with pytest.raises(UsageError, match="'ears' cannot be taken") as caught:
        take("ears", HAIR, codes(1, 1), codes(1, 2), SPACE, "bob")
    assert "hair, shape, looks, code" in caught.value.hint
    with pytest.raises(UsageError, match="'shape' cannot be taken"):
        take("shape", (), codes(1, 1), codes(1, 2), CodeSpace(5, 4), "bob")
