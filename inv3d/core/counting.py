"""Counting what is made one by one, for a person who waits."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

Counted = Callable[[int, int], None]
"""Called with how many are done, and of how many; may raise KeyboardInterrupt to stop."""


def uncounted(done: int, total: int) -> None:
    """A `Counted` that reports nothing."""


def counting(make: Callable[[Given], Made], counted: Counted, total: int) -> Callable[[Given], Made]:
    """The same as `make`, with its calls, of which there will be `total`, counted; several threads may call it."""
    numbers = itertools.count(1)

    def one(given: Given) -> Made:
        made = make(given)
        counted(next(numbers), total)
        return made

    return one
