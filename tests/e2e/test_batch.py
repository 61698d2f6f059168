"""`inv3d batch` as a person types it, on this machine."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.people import still

from .commands import QUICK, fails, here, inv3d, start

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are killed as POSIX does")


def entries(out: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines() if line.endswith("}")]
    except FileNotFoundError:
        return []


def wait_for(process: subprocess.Popen[str], path: Path) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def folder(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, a photo, what is neither, and a manifest."""
    folder = tmp_path_factory.mktemp("batch")
    shutil.copy(clip, folder / "turn.mp4")
    Image.fromarray(still(13)).save(folder / "photo.png")
    (folder / "text.mp4").write_text("no video")
    (folder / "jobs.csv").write_text("input,views,out\nturn.mp4,2,\nphoto.png,,team/photo\ntext.mp4,,\n")
    return folder


def test_a_worker_is_killed_and_the_batch_is_stopped_and_nothing_is_lost_or_done_twice(folder, tmp_path):
    out = tmp_path / "heads"
    command = ("batch", folder / "jobs.csv", "--out", out, *QUICK, "--jobs", "2")
    process = start(*command)
    wait_for(process, out / "turn-inv3d.partial" / "stages" / "wplus.safetensors")
    (worker,) = (
        int(path.name) for path in Path("/proc").iterdir()
        if path.name.isdigit() and b"tethered" in _command_line(path) and os.fsencode(out / "turn-inv3d") in _command_line(path)
    )  # fmt: skip
    os.kill(worker, signal.SIGKILL)
    wait_for(process, out / "team" / "photo" / "run.json")
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "--resume" in errors and "Traceback" not in shown + errors
    photo = (out / "team" / "photo" / "run.json").stat()
    fails(2, "exist already", *command)

    again = inv3d(*command, "--resume")
    assert again.returncode == 0, again.stderr  # the text that is no video is no failure of the batch
    assert (out / "team" / "photo" / "run.json").stat().st_mtime_ns == photo.st_mtime_ns
    with (out / "summary.csv").open() as file:
        rows = {row["head"]: row for row in csv.DictReader(file)}
    assert rows["turn-inv3d"]["exit_code"] == rows["team/photo"]["exit_code"] == "0"
    assert rows["text-inv3d"]["exit_code"] == "3" and "is not a video" in rows["text-inv3d"]["message"]
    assert json.loads((out / "turn-inv3d" / "run.json").read_text())["views"] == 2  # the row, not the command line
    finished = [entry["job"] for entry in entries(out) if entry["event"] == "finished"]
    assert sorted(finished) == ["team/photo", "turn-inv3d"]
    assert sum(entry["event"] == "started" and entry["job"] == "turn-inv3d" for entry in entries(out)) >= 2
    page = (out / "index.html").read_text()
    assert page.count("data:image/jpeg") == 2 and "text-inv3d" in page
    assert {path.name for path in out.iterdir()} == {
        "index.html", "journal.jsonl", "logs", "summary.csv", "team", "turn-inv3d"
    }  # fmt: skip


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_nothing_is_started_if_a_manifest_is_wrong(folder, tmp_path):
    before = sorted(folder.iterdir())
    for column, words in (("veiws", "row 2, column veiws: there is no such option"), ("effort", "row 2, column effort: 0 is not")):
        (tmp_path / "jobs.csv").write_text(f"input,{column}\n{folder / 'turn.mp4'},0\n")
        fails(2, words, "batch", tmp_path / "jobs.csv", "--out", tmp_path / "heads")
    fails(3, "no clips or photos", "batch", tmp_path, "--out", tmp_path / "heads")
    fails(2, "--tune has no effect", "batch", folder / "turn.mp4", "--tune", "3", "--out", tmp_path / "heads")
    fails(4, "no model named", "batch", folder, "--model", "ffhq", "--out", tmp_path / "heads")
    fails(2, "cannot be written", "batch", folder, "--out", folder / "text.mp4" / "heads")
    assert not (tmp_path / "heads").exists() and sorted(folder.iterdir()) == before


def test_a_batch_of_nothing_usable_fails(folder, tmp_path):
    (tmp_path / "clips").mkdir()
    for name in "ab":
        shutil.copy(folder / "text.mp4", tmp_path / "clips" / f"{name}.mp4")
    done = here("batch", tmp_path / "clips", "--out", tmp_path / "heads", "--json")
    assert done.returncode == 3 and "none of the 2 inputs can be used" in done.stderr
    document = json.loads(done.stdout)
    assert document["failed"] == 2 and document["failures"][0]["exit_code"] == 3 and document["out"] == str(tmp_path / "heads")
