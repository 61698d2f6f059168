"""`inv3d batch`: turn many clips and photos into 3D heads, on this machine or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inv3d.cli import image, signals, video
from inv3d.cli.arguments import Number, folder_path, some_path
from inv3d.cli.options import Debug, Device, Force, Json, Ray, check_folder
from inv3d.cli.requests import options_of
from inv3d.core.plurals import number_of

if TYPE_CHECKING:
    from inv3d.batch.job import Job, Pool, Result
    from inv3d.batch.shares import Shares
    from inv3d.core.errors import Inv3dError

JOBS = Number(1, 4096, whole=True)
RETRIES = Number(0, 100, whole=True)


@options_of(video.video, image.image)
def batch(
    context: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            parser=some_path,
            metavar="CLIP|PHOTO|FOLDER|MANIFEST...",
            help="Clips, photos, folders of them, patterns, and manifests: CSV files or JSON lines with a column `input`, and "
            "columns with the names of options below for what is special about a row. `out` names the folder of a head; "
            "`command` is video or image, if the input does not tell. A row of several photos of one person names "
            "their folder. Paths are relative to the manifest.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=folder_path,
            metavar="FOLDER",
            help="Folder for the heads, each in a folder of its own, for summary.csv, index.html, journal.jsonl and logs/.",
        ),
    ],
    jobs: Annotated[
        int | None,
        typer.Option(
            parser=JOBS,
            metavar="NUMBER",
            help="Heads to make at once; on one machine they share its cores.",
            show_default="one for each core, as far as the memory goes, or one for each GPU",
        ),
    ] = None,
    ray: Ray = None,
    retries: Annotated[
        int,
        typer.Option(
            parser=RETRIES,
            metavar="NUMBER",
            help="How often a head is tried again after its process or machine was lost, or ran out of memory; it goes on "
            "from its last finished stage.",
        ),
    ] = 2,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 3 if any input cannot be used, not only if none can.")
    ] = False,
    device: Device = "auto",
    force: Force = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Pass over finished heads, continue unfinished ones, and make the others.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
    **heads: Any,
) -> None:
    """Turn many clips and photos into 3D heads, several at once; one that cannot be used does not stop the others.

    Examples: inv3d batch clips/ --out heads --views 9 --latents; inv3d batch jobs.csv --out heads --resume;
    inv3d batch jobs.jsonl --out heads --ray auto

    Clips, and folders of photos of one person in a manifest, are made into heads by `inv3d video`, single photos by `inv3d
    image`, with their options. Ctrl-C stops the batch; --resume goes on with it.

    Exit codes: 0 if every input that can be used has its head (with --strict: every input), 3 if none can be used,
    2 if something is wrong with the command or a manifest (then nothing was started) or if a head could not be written, 4
    for a model, 5 if memory ran out or processes were lost more often than --retries, 130 if it was stopped.
    """
    from inv3d.batch.standing import refuse_existing
    from inv3d.cli.conclusion import conclude
    from inv3d.cli.manifest import rows_of
    from inv3d.cli.requests import Options, jobs_of
    from inv3d.cli.terminal import document, teller

    tell = teller(as_json)
    options = Options.of(context)
    out = Path(os.path.abspath(out))  # noqa: PTH100 - keeps links
    check_folder(out)
    wanted = jobs_of(rows_of(inputs, options.known), options, options.given(context), out)
    if not (resume or force):
        refuse_existing(wanted, out)
    with _pool(wanted, jobs, ray, device) as (pool, where):
        tell(f"{number_of(len(wanted), 'head')} to make in {out}; {where}")
        results = _make(wanted, pool, out, retries, resume, force, as_json)
    counts = _counts(results)
    tell(", ".join(f"{count} {state}" for state, count in counts.items() if count))
    tell(f"open {out / 'index.html'}")
    if as_json:
        failures = [_failure(result) for result in results if result.code]
        document({"out": str(out), **counts, "failures": failures})
    conclude(errors_of(results), len(results), "inputs", "above, or in summary.csv", strict)


def _make(
    wanted: list[Job], pool: Pool, out: Path, retries: int, resume: bool, force: bool, as_json: bool
) -> list[Result]:
    """Make the heads, and write the table and the page on them even if the batch is stopped; returns the results in the order of
    the jobs."""
    from inv3d.batch.journal import Journal
    from inv3d.batch.schedule import LOCK, Batch
    from inv3d.batch.standing import standing
    from inv3d.cli.board import Board
    from inv3d.core.files import disk_errors
    from inv3d.core.lock import held

    results: dict[str, Result] = {}

    def stopped() -> tuple[str, str]:
        finished = sum(not result.code for result in results.values())
        return (
            f"stopped with {finished} of {number_of(len(wanted), 'head')} finished",
            "run the same command with --resume to pass over the finished heads and continue with the others",
        )

    with disk_errors(out), signals.interruptible(stopped):
        out.mkdir(parents=True, exist_ok=True)
        with held(out / LOCK, out), Journal.opened(out) as journal, _described(out, wanted, results):
            for job in wanted if resume else ():
                signals.check()
                if (known := standing(job, journal, force)) is not None:
                    results[job.name] = known
            passed = [known for known in results.values() if not known.code]
            with Board(len(wanted), len(passed), as_json) as board:

                def add(result: Result) -> None:
                    results[result.job.name] = result
                    board.tell(result)

                for known in results.values():
                    if known.code:
                        board.tell(known)
                left = [job for job in wanted if job.name not in results]
                Batch(out, pool, journal, retries, board.watch, add).run(left, resume, force)
    return [results[job.name] for job in wanted]


def _failure(result: Result) -> dict[str, object]:
    """A failure as JSON for programs."""
    return {
        "head": result.job.name, "inputs": [str(path) for path in result.job.inputs], "exit_code": result.code,
        "error": result.message, "hint": result.hint,
    }  # fmt: skip


def _counts(results: list[Result]) -> dict[str, int]:
    states = [result.state for result in results]
    return {state: states.count(state) for state in ("finished", "passed over", "failed")}


def errors_of(results: list[Result]) -> dict[str, Inv3dError]:
    """The errors of the heads that failed, by name."""
    from inv3d.core.errors import InputError, Inv3dError, ModelError, OutOfMemoryError, UsageError

    kinds = {kind.exit_code: kind for kind in (UsageError, InputError, ModelError, OutOfMemoryError)}
    return {
        result.job.name: kinds.get(result.code, Inv3dError)(result.message, result.hint) for result in results if result.code
    }


@contextmanager
def _described(out: Path, wanted: list[Job], results: dict[str, Result]) -> Iterator[None]:
    """Writes the table and the page on what there is in the end, whatever ends it."""
    from inv3d.batch.page import PAGE, write_page
    from inv3d.batch.summary import SUMMARY, row_of, write_summary

    try:
        yield
    finally:
        rows = [row_of(job, results.get(job.name)) for job in wanted]
        write_summary(out / SUMMARY, rows)
        write_page(out / PAGE, out.name, rows)


@contextmanager
def _pool(wanted: list[Job], jobs: int | None, ray: str | None, device: str) -> Iterator[tuple[Pool, str]]:
    """The pool that makes the heads, and what to say about it."""
    from inv3d.batch.local import LocalPool

    if ray is not None:
        from inv3d.batch.cluster import RayPool

        with RayPool.at(ray, _memory(wanted), device, jobs) as cluster:
            signals.install()  # Ray has its own handler of SIGTERM
            yield cluster, cluster.description
        return
    shares = _shares(wanted, jobs, device)
    on = f"GPU {', '.join(shares.gpus)}" if shares.gpus else "the CPU"
    yield LocalPool(shares), f"{shares.slots} at once on {on}, {number_of(shares.threads, 'thread')} each"


def _shares(wanted: list[Job], jobs: int | None, device: str) -> Shares:
    """How this machine is divided. Raises OutOfMemoryError if not even one head fits."""
    import torch

    from inv3d.batch.local import visible
    from inv3d.batch.shares import divide
    from inv3d.core.device import choose_device
    from inv3d.memory import free_memory, require

    needed = _memory(wanted)
    require(needed, "a head", "close other programs, or use a machine with more memory")
    chosen = choose_device(device).device
    gpus = visible(torch.cuda.device_count()) if chosen.type == "cuda" else ()
    if chosen.index is not None:
        gpus = gpus[chosen.index : chosen.index + 1]
    return divide(len(wanted), jobs, int(free_memory() / needed), gpus)


def _memory(wanted: list[Job]) -> float:
    """Bytes that any of the heads may take."""
    from inv3d.budget import head_bytes
    from inv3d.core.bundle import read_info

    models = {_value(job.options, "--model", "demo") for job in wanted}
    return max(head_bytes(read_info(model), fit=True) for model in models)


def _value(options: tuple[str, ...], name: str, otherwise: str) -> str:
    return options[options.index(name) + 1] if name in options else otherwise

