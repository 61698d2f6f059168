import pytest
import torch

from inv3d.core.codes import CodeStatistics
from inv3d.core.codespace import CodeSpace
from inv3d.core.editing.edits import Edit, check_distance, displaced, make_edit, reach
from inv3d.core.errors import UsageError
from tests.core.editing.test_directions import direction

SPACE = CodeSpace(5, 4, {"shape": slice(0, 2), "looks": slice(2, 5)})
CODES = torch.zeros(3, 5, 4)


def test_an_edit_moves_all_codes_alike_in_the_layers_of_its_direction():
    edit = make_edit(direction(), 1.5, CODES, SPACE)
    moved = displaced(torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0)), [edit], SPACE)
    before = displaced(moved, [make_edit(direction(), -1.5, CODES, SPACE)], SPACE)
    assert torch.allclose(moved[:, :2] - before[:, :2], 1.5 * direction().step.expand(3, 2, 4), atol=1e-6)
    assert torch.equal(moved[:, 2:], before[:, 2:])


@pytest.mark.parametrize(("span", "layers", "rows"), [(None, None, range(5)), ("shape", (3, 4), range(3, 5))])
def test_layers_take_the_place_of_the_span(span, layers, rows):
    edit = make_edit(direction(span=span), 1.0, CODES, SPACE, layers)
    assert (edit.first, edit.last) == (rows[0], rows[-1])
    assert edit.displacement.any(1).nonzero()[:, 0].tolist() == list(rows)


def test_layers_that_the_model_lacks_are_refused():
    with pytest.raises(UsageError, match="no layer 5") as caught:
        make_edit(direction(), 1.0, CODES, SPACE, (0, 5))
    assert "0 to 4" in caught.value.hint


@pytest.mark.parametrize(("strength", "reading"), [(5.6, -0.5), (-4.6, -0.5)])
def test_more_than_the_model_holds_is_refused_with_the_limit(strength, reading):
    with pytest.raises(UsageError, match="more than the model holds") as caught:
        make_edit(direction(), strength, CODES, SPACE)
    assert f"at {reading:+.1f}" in caught.value.message and "-4.5 to 5.5" in caught.value.hint
    make_edit(direction(), strength - 0.2 if strength > 0 else strength + 0.2, CODES, SPACE)


def test_a_head_beyond_the_limit_may_come_back():
    assert reach(direction(), 8.0) == (-13.0, 0.0)
    assert reach(direction(), -6.0) == (0.0, 11.0)
    with pytest.raises(UsageError, match=r"at -6.0 standard deviations, and -6.0 to \+5.0 is possible"):  # where it stands included
        make_edit(direction(), -1.0, CODES - 5.5 * direction().step, SPACE)


def test_the_limit_counts_what_earlier_edits_did():
    moved = displaced(CODES, [make_edit(direction(), 4.0, CODES, SPACE)], SPACE)
    with pytest.raises(UsageError, match="more than the model holds"):
        make_edit(direction(), 4.0, moved, SPACE)


def test_edits_may_add_up_to_what_the_model_holds():
    statistics = CodeStatistics(torch.zeros(4), torch.tensor(1.0), torch.eye(4), torch.ones(4))
    edit, near, far, further = Edit("age", 2.0, 0, 4, CODES[0]), CODES, CODES + 1.6, CODES + 2.0
    check_distance(near, near, CODES + 1.4, statistics, edit)
    check_distance(near, further, far, statistics, edit)  # back towards the mean
    check_distance(far, far, further, statistics, edit)  # a little further than a fit that is itself far away
    with pytest.raises(UsageError, match=r"age=\+2 takes the head further .* 1.60 from the mean, .* 1.50 is possible"):
        check_distance(near, near, far, statistics, edit)
    with pytest.raises(UsageError, match=r"2.10 is possible"):
        check_distance(far, further, CODES + 2.2, statistics, edit)
