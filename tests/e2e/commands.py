"""Whole commands, as a person types them: in a process of their own, or, where they fail early, in this one."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from typing import Any
from unittest import mock

from inv3d.cli import app, signals

QUICK = ("--preset", "draft", "--views", "3", "--effort", "0.2")
MAIN = ("--preset", "fast", "--views", "3", "--effort", "0.03", "--latents")
"""The main command with few steps; everything else as users get it."""


def inv3d(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; `options` are those of `subprocess.run`."""
    command = [sys.executable, "-m", "inv3d", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, **options)


def start(*arguments: object) -> subprocess.Popen[str]:
    """The command, running; for tests that stop it."""
    command = [sys.executable, "-m", "inv3d", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in this process, which saves the seconds that a new one takes to import everything."""
    shown, errors = io.StringIO(), io.StringIO()
    command = ["inv3d", *map(str, arguments)]
    with contextlib.ExitStack() as changed:
        changed.enter_context(mock.patch.object(sys, "argv", command))
        for name in ("install", "ignore"):  # this process keeps its own signal handlers
            changed.enter_context(mock.patch.object(signals, name))
        changed.enter_context(contextlib.redirect_stdout(shown))
        changed.enter_context(contextlib.redirect_stderr(errors))
        try:
            app.main()
        except SystemExit as ended:
            return subprocess.CompletedProcess(command, int(ended.code or 0), shown.getvalue(), errors.getvalue())
    raise AssertionError("a command ends the process")


def fails(code: int, words: str, *arguments: object) -> None:
    """The command ends with `code`, one line that says what is wrong, one that says what to do, and no traceback."""
    _check(code, words, here(*arguments))


def fails_apart(code: int, words: str, *arguments: object, **options: Any) -> None:
    """The same in a process of its own."""
    _check(code, words, inv3d(*arguments, **options))


def _check(code: int, words: str, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("error: ") and lines[1].startswith("hint: ")
    assert words in lines[0]
