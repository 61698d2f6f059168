"""Trainings that are stopped and continued."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from inv3d.core.training.loop import Training

Trainer = TypeVar("Trainer", bound=Training)


def trained(make: Callable[[], Trainer], folder: Path, stops: Sequence[int]) -> Trainer:
    """The training that `make` begins, after the last of the steps `stops`; after each of the others it was begun anew from
    what it had saved."""
    folder.mkdir()
    for stop in stops:
        training = make()
        for step in training.run(folder / "x.pt", lambda line: None):
            if step == stop:
                training.save(folder / "x.pt")
                break
    return training
