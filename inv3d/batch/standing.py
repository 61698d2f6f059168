"""What is in the place of a job's head before a batch begins, and what that means for the job."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from inv3d.batch.job import Job, Result
from inv3d.batch.journal import Journal
from inv3d.core.errors import Inv3dError, UsageError
from inv3d.destination import read_made

PHOTO = "image"
"""The command for single photos."""


def refuse_existing(jobs: Iterable[Job], folder: Path) -> None:
    """Raises UsageError if a job's head, finished or not, is there already."""
    there = [job.out for job in jobs if os.path.lexists(job.out) or os.path.lexists(job.partial)]
    if there:
        more = f" and {len(there) - 1} more heads" if len(there) > 1 else ""
        raise UsageError(
            f"{there[0]}{more} exist already in {folder}" if more else f"{there[0]} exists already",
            "use --resume to pass over finished heads and make the others, --force to replace them, or --out to write elsewhere",
        )


def standing(job: Job, journal: Journal, force: bool) -> Result | None:
    """The result of a job in a batch that is resumed, if it is known: its head was finished before, or is that of something
    else, which is only replaced with `force`. None if the job is to be done."""
    if not os.path.lexists(job.out):
        return None
    try:
        made = read_made(job.out)
        if journal.knows(job):
            return Result(job, passed=True)
        if journal.contradicts(job):
            raise UsageError(f"{job.out} was made with other options or from another input", "add --force to replace it")
        if made.sha256 == _digest(job):
            return Result(job, passed=True)
        raise UsageError(f"{job.out} was made from an earlier version of its input", "add --force to replace it")
    except Inv3dError as error:
        return None if force else Result(job, error.exit_code, error.message, error.hint)


def _digest(job: Job) -> str:
    """SHA-256 of the input as its command computes it. Raises InputError."""
    if job.command == PHOTO:
        from inv3d.core.library import input_digest

        return input_digest(job.inputs[0])
    from inv3d.places import find_material

    return find_material(list(job.inputs)).digest
