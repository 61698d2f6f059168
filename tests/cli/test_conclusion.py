from collections.abc import Sequence
from pathlib import Path

import pytest

from inv3d.batch.job import Job, Result
from inv3d.cli.batch import errors_of
from inv3d.cli.conclusion import conclude
from inv3d.core.errors import InputError, Inv3dError, UsageError


def ended(tmp_path: Path, codes: Sequence[int], strict: bool) -> None:
    """A batch ends whose heads end with these exit codes."""
    results = [Result(Job(f"head {i}", "video", (), (), tmp_path), code, "why", "how") for i, code in enumerate(codes)]
    conclude(errors_of(results), len(results), "inputs", "above", strict)


@pytest.mark.parametrize(
    ("codes", "strict", "expected"),
    [
        ((0, 0), False, 0), ((0, 0), True, 0), ((0, 3), False, 0), ((0, 3), True, 3), ((3, 3), False, 3), ((3,), False, 3),
        ((0, 2), False, 2), ((0, 3, 5), False, 5), ((0, 4, 2), False, 4), ((5, 1), False, 1), ((4,), False, 4), ((1,), False, 1),
        ((0, 77), False, 1),
    ],
)  # fmt: skip
def test_the_exit_code_of_a_batch(tmp_path, codes, strict, expected):
    if not expected:
        ended(tmp_path, codes, strict)
        return
    with pytest.raises(Inv3dError) as caught:
        ended(tmp_path, codes, strict)
    assert caught.value.exit_code == expected and caught.value.message and caught.value.hint


def test_what_may_go_better_another_time_is_named_with_its_hint():
    failed = {"a.jpg": InputError("no head", "use another"), "b.jpg": UsageError("b-inv3d is older", "add --force")}
    with pytest.raises(UsageError, match=r"^1 head failed, such as b\.jpg: b-inv3d is older$") as caught:
        conclude(failed, 3, "photos", "above")
    assert caught.value.hint == "add --force"
    with pytest.raises(InputError, match=r"^no head$"):
        conclude({"a.jpg": failed["a.jpg"]}, 1, "photos", "above")
