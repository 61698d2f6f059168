import sys
import time

import pytest

from inv3d.cli import progress, signals
from inv3d.cli.progress import LiveLines, PlainLines, reporter
from inv3d.cli.terminal import say


def work(lines: LiveLines | PlainLines) -> None:
    with lines:
        for step in range(1, 101):
            lines("W+", step, 100, {"pixel": 0.5 / step})
        lines("export head", 1, 2, {})


def test_logs_get_a_few_plain_lines(capsys):
    work(PlainLines(say))
    lines = capsys.readouterr().out.splitlines()
    assert 3 <= len(lines) <= 7
    assert "W+ 100/100 pixel 0.005" in lines[-2] and "\x1b" not in "".join(lines)


def test_a_stream_of_unknown_length_is_thinned(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    lines = PlainLines(say)
    for frame in range(1, 1001):
        now += 0.2
        lines("track", frame, frame, {})
    assert 3 <= len(capsys.readouterr().out.splitlines()) <= 5


def test_a_terminal_gets_one_bar_per_stage():
    live = LiveLines()
    work(live)
    assert list(live.tasks) == ["W+", "export"]


def test_lines_between_the_bars_are_escaped(capsys):
    live = LiveLines()
    live.tell("look at [/x] \x1b[31m")
    assert r"look at [/x] \x1b[31m" in capsys.readouterr().out


def test_output_that_is_no_terminal_gets_plain_lines(capsys):
    reporter(False)("W+", 1, 4, {})
    reporter(True)("W+", 1, 4, {})
    output = capsys.readouterr()
    assert "W+ 1/4" in output.out and len(output.out.splitlines()) == 1
    assert "W+ 1/4" in output.err  # standard output is the document's alone


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert isinstance(reporter(False), LiveLines) or not sys.stdout.isatty()
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(reporter(False), PlainLines)


def test_a_signal_that_was_swallowed_stops_the_next_step(monkeypatch):
    monkeypatch.setattr(signals._Stop, "asked", True)
    for told in (PlainLines(say), LiveLines()):
        with pytest.raises(KeyboardInterrupt):
            told("W+", 1, 4, {})
    with pytest.raises(KeyboardInterrupt):
        progress.watched(say)("step 1")
