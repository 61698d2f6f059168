"""`summary.csv`: a row for each job of a batch, with figures of its head."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pydantic import ConfigDict

from inv3d.batch.job import Job, Result
from inv3d.core.errors import Inv3dError
from inv3d.core.files import write_whole
from inv3d.core.records import STRICT, Number, Record, Text, read_record
from inv3d.destination import RUN

SUMMARY = "summary.csv"


class Told(Record):
    """The fields of `run.json` that a summary shows; the same for clips and photos."""

    model_config = ConfigDict(**STRICT, extra="ignore")
    largest = 1 << 24

    device: Text
    total_seconds: Number
    peak_memory_mb: Number
    means: dict[Text, dict[Text, Number | None] | None]


@dataclass(frozen=True)
class Row:
    """A row. `seconds` are those of the last attempt, from the start of its process to its end, `cpu_seconds` those of
    processors; `fit_seconds` are those of the stages of its run, which may have been spread over several attempts; figures are of unseen frames if there are any,
    otherwise of fitted views; `bytes` are the size of the output folder."""

    head: str
    state: str
    exit_code: int | None
    input: str
    command: str
    message: str = ""
    attempts: int = 0
    worker: str = ""
    seconds: float | None = None
    cpu_seconds: float | None = None
    fit_seconds: float | None = None
    peak_memory_mb: float | None = None
    device: str = ""
    psnr: float | None = None
    ms_ssim: float | None = None
    lpips: float | None = None
    identity: float | None = None
    bytes: int | None = None


def row_of(job: Job, result: Result | None) -> Row:
    """The row of a job; without a result it was not finished when the batch was stopped."""
    base = Row(
        job.name,
        result.state if result else "unfinished",
        result.code if result else None,
        " ".join(map(str, job.inputs)),
        " ".join((job.command, *job.options)),
    )
    if result is None:
        return base
    row = {
        **asdict(base), "message": result.message, "attempts": result.attempts, "worker": result.worker,
        "seconds": result.seconds or None,
        "cpu_seconds": result.cpu_seconds or None,
    }  # fmt: skip
    if not result.code:
        row |= _figures(job.out)
    return Row(**row)


def _figures(out: Path) -> dict[str, float | int | str | None]:
    """What the folder of a head tells of it; nothing if it cannot be read any more."""
    try:
        told = read_record(out / RUN, Told)
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    except (Inv3dError, OSError):
        return {}
    means = told.means.get("held_out") or told.means.get("fit") or {}
    figures = {name: means.get(name) for name in ("psnr", "ms_ssim", "lpips", "identity")}
    return {
        "fit_seconds": told.total_seconds, "peak_memory_mb": told.peak_memory_mb, "device": told.device, "bytes": size,
        **figures,
    }  # fmt: skip


def write_summary(path: Path, rows: Iterable[Row]) -> None:
    """Write the table, whole or not at all. Raises OSError."""
    with write_whole(path, replace=True) as part, part.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Row)])
        table.writeheader()
        for row in rows:
            table.writerow({name: _cell(value) for name, value in asdict(row).items()})


def _cell(value: object) -> object:
    """Spreadsheets take a text that begins with one of these signs for a formula."""
    if isinstance(value, str) and value[:1] in "=+-@\t\r" and value:
        return "'" + value
    return round(value, 4) if isinstance(value, float) else value
