"""The unfinished output of a run: stage checkpoints, and the rename that makes it whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from inv3d.core.errors import UsageError
from inv3d.core.files import disk_errors, refuse_existing, write_whole

_STAGES = "stages"


class Workspace:
    """A folder beside `out` that becomes `out` at the end; until then it keeps what each stage made.

    Raises UsageError if `out` exists without `force`, if an unfinished run is in the way, or if `resume` finds an
    unfinished run with other settings.
    """

    def __init__(self, out: Path, settings: dict[str, Any], force: bool, resume: bool) -> None:
        self.out = out
        self.folder = out.with_name(out.name + ".partial")
        self.stages = self.folder / _STAGES
        job = self.folder / "job.json"
        refuse_existing(out, force)
        with disk_errors(self.folder):
            if self.folder.exists():
                if not resume and not force:
                    raise UsageError(
                        f"an unfinished run lies in {self.folder}",
                        "use --resume to go on with it, or --force to begin anew",
                    )
                if not resume:
                    shutil.rmtree(self.folder)
            if job.is_file() and json.loads(job.read_text(encoding="utf-8")) != settings:
                raise UsageError(
                    f"the run in {self.folder} has other settings",
                    "repeat its command with --resume, or begin anew with --force",
                )
            self.stages.mkdir(parents=True, exist_ok=True)
            with write_whole(job, replace=True) as part:
                part.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    def tensors(self, stage: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """What `make` gives, kept on disk: a finished stage is loaded instead of made again."""
        path = self.stages / f"{stage}.safetensors"
        if path.is_file():
            try:
                return load_file(path)
            except SafetensorError:
                path.unlink()
        made = {name: tensor.detach().cpu().contiguous() for name, tensor in make().items()}
        with disk_errors(self.folder), write_whole(path) as part:
            part.write_bytes(save(made))
        return made

    def json(self, stage: str, make: Callable[[], Any]) -> Any:
        """Like `tensors` for plain data."""
        path = self.stages / f"{stage}.json"
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
        made = make()
        with disk_errors(self.folder), write_whole(path) as part:
            part.write_text(json.dumps(made), encoding="utf-8")
        return made

    @contextmanager
    def discarded_on(self, kind: type[Exception]) -> Iterator[None]:
        """Leaves nothing behind if `kind` is raised: the input was not worth keeping anything of."""
        try:
            yield
        except kind:
            shutil.rmtree(self.folder)
            raise

    def finish(self) -> None:
        """Move everything to its final name and drop the checkpoints, and what was there before, with them.

        A kill at any moment leaves either the unfinished run, from which `resume` goes on, or the whole output.
        """
        with disk_errors(self.out):
            if self.out.exists():
                self.out.replace(self.stages / "replaced")
            self.folder.replace(self.out)
            shutil.rmtree(self.out / _STAGES)
            (self.out / "job.json").unlink()

