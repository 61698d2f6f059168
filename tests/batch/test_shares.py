import pytest

from inv3d.batch import shares
from inv3d.batch.shares import Shares, divide


@pytest.mark.parametrize(
    ("jobs", "asked", "fitting", "gpus", "expected"),
    [
        (100, None, 99, (), Shares(8, 1)), (3, None, 99, (), Shares(3, 2)), (1, None, 99, (), Shares(1, 8)),
        (100, None, 2, (), Shares(2, 4)), (100, 4, 99, (), Shares(4, 2)), (100, 12, 99, (), Shares(12, 1)),
        (100, None, 1, ("0", "3"), Shares(2, 4, ("0", "3"))), (100, 4, 99, ("0", "3"), Shares(4, 2, ("0", "3"))),
        (3, 12, 99, (), Shares(3, 2)), (0, None, 99, (), Shares(1, 8)),
    ],
)  # fmt: skip
def test_a_machine_is_divided(jobs, asked, fitting, gpus, expected):
    assert divide(jobs, asked, fitting, gpus, own=8) == expected


def test_it_is_divided_as_far_as_this_process_may_use_it(monkeypatch):
    monkeypatch.setattr(shares, "processors", lambda: 6)
    assert divide(100, None, 99) == Shares(6, 1)
