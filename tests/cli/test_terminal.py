"""Printing: names escaped, odd terminals, pipes whose reader leaves."""

import io
import json
import os
import subprocess
import sys

import pytest

from inv3d.cli import terminal

FORGED = "a\nerror: forged\x1b[2J\x1b]0;title\x07 \u202egnp \u2028 \x9b31m [/x] \udcff.png"


def run(code: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", f"from inv3d.cli import terminal\nterminal.prepare()\n{code}"],
        capture_output=True, check=False, timeout=60, env=env,
    )  # fmt: skip


@pytest.mark.parametrize("printer", [terminal.say, terminal.note, lambda text: terminal.complain(text, text)])
def test_a_name_prints_one_line_without_commands(printer, capsys):
    printer(FORGED)
    output = capsys.readouterr()
    for line in (output.out + output.err).splitlines():
        assert all(sign.isprintable() for sign in line)
        assert r"a\nerror: forged\x1b[2J" in line and r"\xff.png" in line and "[/x]" in line
    assert len((output.out + output.err).splitlines()) in (1, 2)


def test_names_in_tables_are_neither_markup_nor_commands(capsys):
    terminal.table(("photo", "[red]x"), [(FORGED, "[/x] :smile:")])
    shown = capsys.readouterr().out
    assert "[/x] :smile:" in shown and "[red]x" in shown and "\x1b" not in shown


def test_a_document_is_one_line_of_json(capsys):
    terminal.document({"photo": FORGED})
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 1 and shown.isascii()
    assert json.loads(shown) == {"photo": FORGED}


def test_our_warnings_are_lines_and_those_of_others_have_their_place():
    code = "import warnings\nfrom inv3d.core.errors import Inv3dWarning\nwarnings.warn(Inv3dWarning('a\\n\\x1b'))\nwarnings.warn('b')"
    ours, others = run(code).stderr.decode().splitlines()[:2]
    assert ours == r"warning: a\n\x1b" and others.endswith("UserWarning: b") and ":" in others


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8", "ascii:strict"])
def test_every_encoding_of_a_terminal_is_coped_with(encoding):
    code = "terminal.say('12° ±3 … ä 顔 \\udcff')\nterminal.table(('°', '顔'), [('1', '–')])\nterminal.finish()"
    done = run(code, env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
    assert done.returncode == 0 and done.stderr == b""
    shown = done.stdout.decode(encoding.split(":")[0])
    assert ("12 deg +/-3 ..." if "ascii" in encoding else "12° ±3") in shown


@pytest.mark.skipif(os.name != "posix", reason="needs a pipe")
def test_when_the_reader_leaves_the_work_goes_on(tmp_path):
    code = f"""
import pathlib
for i in range(20000): terminal.say('line of some length')
pathlib.Path({str(tmp_path / "made")!r}).touch()
assert terminal.finish() is None"""
    reader, writer = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", f"from inv3d.cli import terminal\nterminal.prepare()\n{code}"],
        stdout=writer, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        os.close(writer)
        os.read(reader, 10)
        os.close(reader)
        assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0 and (tmp_path / "made").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")  # noqa: PTH110
def test_a_full_disk_behind_standard_output_is_told():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "inv3d", "--version"], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 2 and b"No space left" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_standard_streams_are_no_trouble(closed):
    command = f'"{sys.executable}" -m inv3d models list --json {closed}'
    assert subprocess.run(["sh", "-c", command], check=False, timeout=120, capture_output=True).returncode == 0


def test_streams_of_a_test_or_a_notebook_are_left_alone(monkeypatch):
    """Some have no file beneath."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    terminal.prepare()
    terminal.say("12°")
    assert out.getvalue() == "12°\n"
    assert terminal.finish() is None


def test_long_names_lose_their_middle():
    assert terminal.shortened("IMG_20230704_123456.jpg", 24) == "IMG_20230704_123456.jpg"
    assert terminal.shortened("holiday-in-the-mountains-0042.jpg", 24) == "holiday-in-...s-0042.jpg"
    assert len(terminal.shortened("x" * 99, 24)) == 24
