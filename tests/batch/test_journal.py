import json

from inv3d.batch.job import Attempt, Result
from inv3d.batch.journal import JOURNAL, Journal

from .heads import job


def test_finished_heads_are_known_again(tmp_path):
    done, failed = job(tmp_path / "heads", "done", "--seed", "1"), job(tmp_path / "heads", "failed")
    with Journal.opened(tmp_path) as journal:
        for each in (done, failed):
            journal.started(Attempt(each))
        journal.ended(Result(done, attempts=1, seconds=2.5, worker="here:1"))
        journal.ended(Result(failed, 3, "no head", "film one", 1))
    lines = [json.loads(line) for line in (tmp_path / JOURNAL).read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "started", "finished", "failed"]
    assert lines[2]["seconds"] == 2.5 and lines[3]["message"] == "no head"
    with Journal.opened(tmp_path) as journal:
        assert journal.knows(done) and not journal.knows(failed)
        other = job(tmp_path / "heads", "done", "--seed", "2")
        assert journal.contradicts(other) and not journal.contradicts(done) and not journal.contradicts(failed)
        done.inputs[0].write_text("another clip")
        assert not journal.knows(done)
        done.inputs[0].unlink()
        assert not journal.knows(done)


def test_a_line_that_a_kill_cut_off_is_passed_over(tmp_path):
    one, two = job(tmp_path / "heads", "one"), job(tmp_path / "heads", "two")
    with Journal.opened(tmp_path) as journal:
        journal.ended(Result(one))
    with (tmp_path / JOURNAL).open("a") as file:
        file.write('{"event": "finished", "job": "tw')
    for _ in range(2):
        with Journal.opened(tmp_path) as journal:
            assert journal.knows(one) and not journal.knows(two)
    with Journal.opened(tmp_path) as journal:
        journal.ended(Result(two))
    with Journal.opened(tmp_path) as journal:
        assert journal.knows(one) and journal.knows(two)


def test_names_that_are_not_utf8_are_known_again(tmp_path):
    odd = job(tmp_path / "heads", "n\udcffme")
    with Journal.opened(tmp_path) as journal:
        journal.ended(Result(odd))
    with Journal.opened(tmp_path) as journal:
        assert journal.knows(odd)
