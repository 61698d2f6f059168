"""Work on many items, spread over the cores of a Ray cluster (extra `batch`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from inv3d.batch.cluster import connected, reason_of
from inv3d.core.errors import OutOfMemoryError

Item = TypeVar("Item")
Made = TypeVar("Made")
_TRIES = 3
"""How often Ray begins an item again whose worker or machine was lost."""


class Each(Protocol):
    """Does `work` on every item; yields each as it is done, with what was made, in any order."""

    def __call__(self, work: Callable[[Item], Made], items: Sequence[Item], /) -> Iterator[tuple[Item, Made]]: ...


@contextmanager
def spread(address: str, memory: float) -> Iterator[Each]:
    """Work on the cluster at an address (see `connected`), each item on one core, with one thread and so many bytes of `memory`.
    It must not matter if an item is begun twice.

    Raises UsageError without a cluster; what `work` raises, and OutOfMemoryError for an item whose workers are lost again and
    again.
    """
    with connected(address) as ray:

        def each(work: Callable[[Item], Made], items: Sequence[Item], /) -> Iterator[tuple[Item, Made]]:
            remote = ray.remote(_alone(work)).options(num_cpus=1, memory=memory, max_retries=_TRIES)
            waiting = {remote.remote(item): item for item in items}
            while waiting:
                ready, _ = ray.wait(list(waiting))
                for reference in ready:
                    yield waiting.pop(reference), _made(ray, reference)

        yield each


def _alone(work: Callable[[Item], Made]) -> Callable[[Item], Made]:
    """The work as a function that Ray takes, with one thread."""

    def one(item: Item) -> Made:
        import torch

        torch.set_num_threads(1)
        return work(item)

    return one


def _made(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise getattr(error, "cause", None) or error from error
    except ray.exceptions.RayError as error:
        raise OutOfMemoryError(
            f"work on the Ray cluster was lost {_TRIES + 1} times ({reason_of(error)})",
            "look at the machines' memory; run the same command again to go on",
        ) from error
