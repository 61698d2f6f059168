import pytest

from inv3d.batch.job import Job, Result
from inv3d.cli.batch import conclude
from inv3d.core.errors import Inv3dError


def results(tmp_path, *codes):
    return [Result(Job(f"head {i}", "video", (), (), tmp_path), code, "why", "how") for i, code in enumerate(codes)]


@pytest.mark.parametrize(
    ("codes", "strict", "expected"),
    [
        ((0, 0), False, 0), ((0, 0), True, 0), ((0, 3), False, 0), ((0, 3), True, 3), ((3, 3), False, 3), ((3,), False, 3),
        ((0, 2), False, 2), ((0, 3, 5), False, 5), ((0, 4, 2), False, 4), ((5, 1), False, 1), ((4,), False, 4), ((1,), False, 1),
    ],
)  # fmt: skip
def test_the_exit_code_of_a_batch(tmp_path, codes, strict, expected):
    if not expected:
        conclude(results(tmp_path, *codes), strict)
        return
    with pytest.raises(Inv3dError) as caught:
        conclude(results(tmp_path, *codes), strict)
    assert caught.value.exit_code == expected and caught.value.message and caught.value.hint
