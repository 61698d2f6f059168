"""How errors reach the person: two lines, an exit code, a traceback with --debug alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from inv3d.cli import app as commands
from inv3d.cli import signals
from inv3d.cli.image import _stopped
from inv3d.core.encoders.kinds import ENCODERS
from inv3d.core.errors import InputError, Inv3dError, ModelError, OutOfMemoryError, StoppedError, UsageError
from inv3d.core.inversion.methods import METHODS
from inv3d.photos import PhotoResult


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process with a `doctor` that raises `error`; returns exit code and both outputs."""

    def run(error: BaseException, *arguments: str) -> tuple[int, str, str]:
        def fail(debug: bool = False) -> None:
            raise error

        broken = typer.Typer(add_completion=False, rich_markup_mode=None)
        broken.callback()(lambda: None)
        broken.command("doctor")(fail)
        monkeypatch.setattr(commands, "app", broken)
        for name in ("install", "ignore"):
            monkeypatch.setattr(signals, name, lambda: None)
        monkeypatch.setattr(sys, "argv", ["inv3d", "doctor", *arguments])
        with pytest.raises(SystemExit) as ended:
            commands.main()
        assert isinstance(ended.value.code, int)
        output = capsys.readouterr()
        return ended.value.code, output.out, output.err

    return run


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("render", "head"), "close other programs, or use a smaller --resolution or fewer --frames"),
        (("image", "a.jpg"), "close other programs, or use --preset fast"),
        (("models", "sample", "demo"), "close other programs, or use a smaller --resolution or fewer --seeds"),
        (("models", "verify", "demo"), "close other programs"),
    ],
)
def test_out_of_memory_the_hint_names_options_that_the_command_has(words, hint, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["inv3d", *words])
    assert commands.explain(MemoryError()).hint == hint


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("a", "b"), 2), (InputError("a", "b"), 3), (ModelError("a", "b"), 4), (OutOfMemoryError("a", "b"), 5),
        (StoppedError("a", "b"), 130), (MemoryError(), 5), (RuntimeError("std::bad_alloc"), 5), (KeyboardInterrupt(), 130),
        (PermissionError(13, "Permission denied", "x\nerror: y"), 3), (RuntimeError("a\nerror: b\x1b[2J"), 1),
        (RecursionError("maximum recursion depth exceeded"), 1), (Inv3dError("a\nerror: b", "c\nd"), 1),
    ],
    ids=repr,
)  # fmt: skip
def test_every_error_is_two_lines_and_an_exit_code(run, error, code):
    ended, shown, errors = run(error)
    assert ended == code and shown == ""
    first, second = errors.splitlines()
    assert first.startswith("error: ") and second.startswith("hint: ")
    assert all(sign.isprintable() for sign in first + second)


def test_what_typer_calls_aborted_keeps_its_reason(run):
    code, _, errors = run(EOFError("the stream ended"))
    assert code == 1 and "EOFError: the stream ended" in errors and "Aborted" not in errors


def test_debug_shows_the_traceback_and_keeps_the_exit_code(run):
    code, _, errors = run(InputError("a", "b"), "--debug")
    assert code == 3 and "Traceback" in errors and errors.endswith("error: a\nhint: b\n")


@pytest.mark.parametrize(
    "arguments",
    [("nothing",), ("video",), ("video", "--zz"), ("video", ""), ("render", "x", "--pitch", "nan"), ("render", "x", "--out", "."),
     ("image", ""), ("models", "sample", "demo", "--truncation", "2"), ("train", "network", "x\ny", "z"), ("render", "x", "y\x1b[2J"),
     ("train", "data", "pyproject.toml/x", "--scale", "0"), ("doctor", "--views")],
)  # fmt: skip
def test_wrong_usage_is_two_lines(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "inv3d", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2 and done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith("error: ") and second.startswith("hint: see: inv3d") and "\x1b" not in done.stderr


@pytest.mark.parametrize("arguments", [(), ("models",), ("train",)])
def test_groups_alone_show_their_help(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "inv3d", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2 and done.stderr == "" and done.stdout.startswith("Usage: inv3d")


def test_the_help_of_photos_has_a_line_for_each_encoder_and_method():
    done = subprocess.run(
        [sys.executable, "-m", "inv3d", "image", "--help"], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip
    lines = [line.strip() for line in done.stdout.splitlines() if len(line) <= 80]
    for name, purpose in (*ENCODERS.items(), *((each.name, each.purpose) for each in METHODS.values())):
        assert any(line.rstrip(";.") == f"{name}: {purpose}" for line in lines), name


def test_a_stopped_batch_names_the_photo_in_progress():
    photos = [Path("a.png"), Path("b.png"), Path("c.png")]
    outputs = [Path(f"{photo.stem}-inv3d") for photo in photos]
    # photos without a head are told first, whatever their place
    finished = [PhotoResult(photos[1], outputs[1], error=InputError("no head", "")), PhotoResult(photos[0], outputs[0])]
    message, hint = _stopped(photos, outputs, finished)
    assert "c.png" in message and "c-inv3d" in message and "2 of 3 photos" in message and "--resume" in hint
    message, _ = _stopped(photos[:1], outputs[:1], [])
    assert message == "stopped before a-inv3d was finished"
