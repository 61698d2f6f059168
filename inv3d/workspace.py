"""The unfinished output of a run: stage checkpoints, and the final rename."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import torch
from pydantic import JsonValue, TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from inv3d.core.errors import Inv3dError, UsageError
from inv3d.core.files import (
    PART,
    disk_errors,
    flush_tree,
    is_of_system,
    move_into_place,
    partial_of,
    refuse_protected,
    write_whole,
)
from inv3d.core.lock import held
from inv3d.core.records import Digest, Record, read_record, write_record
from inv3d.core.weights import open_tensors
from inv3d.destination import check_destination

Value = TypeVar("Value")

_JOB, _LOCK, _SEAL = "job.json", "lock", "seal"
_STAGES, _OUTPUT, _REPLACED = _FOLDERS = ("stages", "output", "replaced")
_LEAST_SPACE = 32 << 20
"""Bytes that pictures, video, mesh and codes of any head need."""
_SAID = {"sha256": "the input", "fingerprint": "the model's files", "settings": "preset or what changes it", "version": "version of inv3d"}
"""What parts of a job are called that have another name in its record."""


class Job(Record):
    """What distinguishes a run from any other: input, settings, versions."""

    fault = UsageError
    hint = "start again with --force"

    job: dict[str, JsonValue]

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.job, sort_keys=True).encode()).hexdigest()


class Sealed(Record, Generic[Value]):
    """The result of a stage, with a digest of it and of the job."""

    largest = 1 << 26

    seal: Digest
    value: Value


class Workspace:
    """A folder beside `out` that becomes `out` at the end; until then it keeps the result of each stage.

    Used as a context: `begin`, run stages, write into `output`, `finish`. Meanwhile no other process can write to the
    same `out`. The result of a stage is reused only if it is identical, bit by bit, to what this job's stage made.

    Entering raises UsageError if `out` may not be written or replaced (see `check_destination`), if another process
    writes to it, if an unfinished run is in the way of one that neither resumes nor is forced, or if the disk is full.
    """

    def __init__(self, out: Path, inputs: Iterable[Path], force: bool, resume: bool) -> None:
        self.out = Path(os.path.realpath(out))
        self.folder = partial_of(self.out)
        self.stages, self.output = self.folder / _STAGES, self.folder / _OUTPUT
        self._job, self._replaced = self.folder / _JOB, self.folder / _REPLACED
        self._inputs, self._force, self._resume = tuple(inputs), force, resume
        self._digest = ""
        self._worthless = False
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with disk_errors(self.out), ExitStack() as undo:
            self._check()
            self._hold(undo)
            if os.path.lexists(self._replaced) and not os.path.lexists(self.out):
                self._replaced.rename(self.out)  # the process was killed between the two renames of `finish`
            self._check()  # another run may have ended since
            if os.path.lexists(self._job) and not (self._resume or self._force):
                raise UsageError(
                    f"there is an unfinished run in {self.folder}",
                    "use --resume to continue it, or --force to start again",
                )
            self._need(_LEAST_SPACE)
            self._held = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep only what a resumed run can use."""
        with self._held, suppress(OSError):  # a file that cannot be removed is not a reason to fail now
            if self._digest and (self._worthless or not any(self.stages.glob("*"))):
                self._clear()

    def begin(self, job: dict[str, Any], space: int = 0) -> None:
        """Continue the unfinished run of the same `job`, which identifies it, or start again.

        Raises UsageError if an unfinished run that is to be resumed is of another job or damaged, or if the disk does
        not have the `space` (bytes) that this run needs besides pictures and mesh.
        """
        record = Job(job=json.loads(json.dumps(job)))
        with disk_errors(self.folder):
            if not self._resume:
                self._clear()
            elif os.path.lexists(self._job):
                self._refuse_other(record)
            self._need(_LEAST_SPACE + space)
            write_record(self._job, record)
            self._digest = record.digest
            _remove(self.output)
            self.stages.mkdir(exist_ok=True)
            for part in self.stages.glob(f"{PART}*"):
                part.unlink()
            self.output.mkdir()

    def tensors(self, stage: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The result of `make`, kept on disk: a finished stage is loaded instead of repeated."""
        path = self.stages / f"{stage}.safetensors"
        with suppress(SafetensorError, OSError, KeyError, RuntimeError), open_tensors(path) as file:
            kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
            if (file.metadata() or {}).get(_SEAL) == self._seal(stage, kept):
                return kept
        made = {name: tensor.detach().cpu().contiguous() for name, tensor in make().items()}
        with disk_errors(self.folder), write_whole(path, replace=True) as part:
            part.write_bytes(save(made, metadata={_SEAL: self._seal(stage, made)}))
        return made

    def value(self, stage: str, kind: type[Value], make: Callable[[], Value]) -> Value:
        """Like `tensors` for a dataclass of plain data."""
        path = self.stages / f"{stage}.json"
        sealed: type[Sealed[Value]] = Sealed[kind]  # type: ignore[valid-type]
        with suppress(Inv3dError):
            kept = read_record(path, sealed)
            if kept.seal == self._seal(stage, kept.value):
                return kept.value
        made = make()
        with disk_errors(self.folder):
            write_record(path, sealed(seal=self._seal(stage, made), value=made))
        return made

    @contextmanager
    def discarded_on(self, *kinds: type[Exception]) -> Iterator[None]:
        """Remove everything if one of `kinds` is raised: nothing of an unusable input is worth keeping."""
        try:
            yield
        except kinds:
            self._worthless = True
            raise

    def finish(self) -> None:
        """Move `output` to its final name and drop the checkpoints, and what was there before, with them.

        A failure or a stop leaves what was there before. A kill leaves either the unfinished run, from which `resume`
        continues, or the whole output; the output that it replaces is restored when a run is next started.
        """
        with disk_errors(self.out):
            check_destination(self.out, self._inputs, self._force)
            flush_tree(self.output)
            move_into_place(self.output, self.out, self._replaced)
            self._worthless = True

    def _check(self) -> None:
        """Raises UsageError if whatever is at `out` or beside it is not inv3d's, or must not be replaced."""
        check_destination(self.out, self._inputs, self._force)
        if os.path.lexists(self.folder):
            refuse_protected(self.folder, self._inputs)
            for stranger in _strangers(self.folder):
                raise UsageError(
                    f"{stranger} is in the way: it was not written by inv3d", "move it, or write elsewhere with --out"
                )

    def _hold(self, undo: ExitStack) -> None:
        """Create the folder and lock it; `undo` receives callbacks that remove it, and parents that it needed, if empty."""
        made = [path for path in self.folder.parents if not path.exists()]
        for path in (*reversed(made), self.folder):  # the folder of a run that is continued was there before
            undo.callback(_remove_empty, path)
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                undo.enter_context(held(self.folder / _LOCK, self.out))
                return
            except FileNotFoundError:
                continue  # another run ended and removed the folder meanwhile

    def _need(self, space: int) -> None:
        """Raises UsageError unless the disk has `space` bytes left."""
        total, _, free = shutil.disk_usage(self.folder)
        if free < space and total:  # some network drives do not report it
            raise UsageError(
                f"the disk of {self.out} is too full: {free / 1e6:.0f} MB are free, about {space / 1e6:.0f} MB are needed",
                "free some space, or write elsewhere with --out",
            )

    def _refuse_other(self, record: Job) -> None:
        """Raises UsageError unless the unfinished run is of the job of `record`."""
        kept = read_record(self._job, Job).job
        differing = sorted(key for key in kept.keys() | record.job.keys() if kept.get(key) != record.job.get(key))
        if differing:
            said = ", ".join(_SAID.get(key, key) for key in differing)
            raise UsageError(
                f"the run in {self.folder} has other settings: {said}",
                "run its own command with --resume, or start again with --force",
            )

    def _seal(self, stage: str, made: Any) -> str:
        """A digest of what a stage made for this job."""
        digest = hashlib.sha256(f"{self._digest} {stage}".encode())
        if isinstance(made, dict):
            for name in sorted(made):
                tensor = made[name]
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
        else:
            digest.update(TypeAdapter(type(made)).dump_json(made))
        return digest.hexdigest()

    def _clear(self) -> None:
        """Remove the unfinished run; the record that identifies it is removed last."""
        for name in (*_FOLDERS, _JOB):
            _remove(self.folder / name)
        for part in self.folder.glob(f"{PART}*"):
            _remove(part)


def check_output(out: Path, inputs: Iterable[Path], force: bool, resume: bool) -> None:
    """Raises UsageError if a run could not write `out`, before any work is done; the check leaves nothing behind."""
    with Workspace(out, inputs, force, resume):
        pass


def _strangers(folder: Path) -> Iterator[Path]:
    """Files in the folder of an unfinished run, or a file in its place, that no run has written."""
    if not _is_folder(folder):
        yield folder
        return
    for path in folder.iterdir():
        if is_of_system(path):
            continue
        if path.name in _FOLDERS:
            if not (_is_folder(path) and os.path.lexists(folder / _JOB)):
                yield path
        elif path.name not in (_JOB, _LOCK) and not path.name.startswith(PART):
            yield path
    if _is_folder(folder / _STAGES):
        for path in (folder / _STAGES).iterdir():
            written = path.suffix in (".json", ".safetensors") and path.is_file() and not path.is_symlink()
            if not written and not is_of_system(path):
                yield path


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it exists."""
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
