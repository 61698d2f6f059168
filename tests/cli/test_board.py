import io

from rich.console import Console

from inv3d.batch.job import Attempt, Job, Result
from inv3d.batch.journal import Journal
from inv3d.batch.local import LocalPool
from inv3d.batch.schedule import Batch
from inv3d.batch.shares import Shares
from inv3d.cli import board
from inv3d.cli.board import Board, told


def job(tmp_path, name="anna"):
    return Job(name, "video", (), (), tmp_path / name)


def test_a_result_in_a_line(tmp_path):
    one = job(tmp_path)
    assert told(Result(one, seconds=12.4, attempts=1)) == "anna: finished in 12 s"
    assert told(Result(one, seconds=12.4, attempts=2)) == "anna: finished in 12 s, in 2 attempts"
    assert told(Result(one, passed=True)) == "anna: exists already, skipped"
    assert told(Result(one, 3, "no head was found")) == "anna: failed: no head was found"


def test_logs_get_a_line_for_each_result(tmp_path, capsys):
    with Board(5, 2, as_json=False) as shown:
        shown.tell(Result(job(tmp_path, "a\x1b[31m"), seconds=3.0))
    with Board(5, 2, as_json=True) as shown:
        shown.tell(Result(job(tmp_path), 3, "no head"))
    out, errors = capsys.readouterr()
    assert "] 3/5 a\\x1b[31m: finished in 3 s" in out and "3/5 anna: failed: no head" in errors


def test_a_terminal_gets_a_table_of_what_is_running(tmp_path, monkeypatch):
    monkeypatch.setattr(board, "is_live", lambda as_json: True)
    monkeypatch.setattr(board, "_REDRAWN", 0.0)
    screen = io.StringIO()
    monkeypatch.setattr("rich.console.Console", lambda file: Console(file=screen, width=100, force_terminal=True))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "anna.log").write_text("[   3.1 s] tuning 20/100 pixel 0.1\n")
    with Journal.opened(tmp_path) as journal, Board(9, 0, as_json=False) as shown:
        batch = Batch(tmp_path, LocalPool(Shares(1, 1)), journal)
        batch.running = {Attempt(job(tmp_path), 2): 0.0, Attempt(job(tmp_path, "bob [x]")): 0.0}
        shown.tell(Result(job(tmp_path, "carl"), seconds=3.0))
        shown.watch(batch)
    text = screen.getvalue()
    assert "1 of 9 done, 0 failed, 2 running, 0 waiting" in text
    assert "tuning 20/100" in text and "bob [x]" in text and "starting" in text and "carl: finished" in text
