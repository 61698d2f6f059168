import pytest

from inv3d.batch.job import Ending
from inv3d.batch.journal import Journal
from inv3d.batch.schedule import Batch

from .heads import job, write_head


class Scripted:
    """A pool in which attempts end as the script says: code by name and number of the attempt, 0 otherwise."""

    def __init__(self, script=(), slots=2, stop_after=None):
        self.script, self.slots, self.stop_after = dict(script), slots, stop_after
        self.made, self.waiting, self.most, self.stopped, self.spared = [], [], 0, False, 0

    def start(self, attempt, log):
        self.waiting.append(attempt)
        self.made.append((attempt.job.name, attempt.number, attempt.resume, attempt.force))
        self.most = max(self.most, len(self.waiting))

    def ended(self):
        if len(self.made) == self.stop_after:
            raise KeyboardInterrupt
        attempt = self.waiting.pop(0)
        code = self.script.get((attempt.job.name, attempt.number), 0)
        if code == 0:
            write_head(attempt.job.out)
        return [(attempt, Ending(code, "there:1", 1.0, 0.5, "why", "how"))]

    def spare(self):
        self.spared += 1

    def stop(self):
        self.stopped = True


def run(tmp_path, pool, names, **options):
    with Journal.opened(tmp_path) as journal:
        batch = Batch(tmp_path, pool, journal, 2)
        batch.run([job(tmp_path, name) for name in names], **options)
    return batch


@pytest.fixture
def heads(tmp_path):
    (tmp_path / "heads").mkdir()
    return tmp_path / "heads"


def test_every_job_is_done_once_and_no_more_at_once_than_there_are_slots(heads):
    pool = Scripted(slots=3)
    batch = run(heads, pool, "abcdefg")
    assert [name for name, *_ in pool.made] == list("abcdefg") and pool.most == 3
    assert sorted(result.job.name for result in batch.results) == list("abcdefg")
    assert all(result.state == "finished" and result.attempts == 1 for result in batch.results)
    assert pool.stopped and not batch.running


def test_lost_workers_and_bad_inputs(heads):
    pool = Scripted({("b", 1): -9, ("c", 1): 3, ("d", 1): None, ("d", 2): 5, ("e", 1): -9, ("e", 2): -9, ("e", 3): -9})
    batch = run(heads, pool, "abcde")
    codes = {result.job.name: (result.code, result.attempts) for result in batch.results}
    assert codes == {"a": (0, 1), "b": (0, 2), "c": (3, 1), "d": (0, 3), "e": (5, 3)}
    assert ("b", 2, True, False) in pool.made and pool.made.count(("c", 1, False, False)) == 1
    assert pool.spared == 6


def test_flags_of_the_batch_are_those_of_its_attempts(heads):
    pool = Scripted({("a", 1): 2, ("b", 1): 2})
    run(heads, pool, "a", resume=True)
    assert pool.made == [("a", 1, True, False), ("a", 2, False, True)]
    run(heads, pool, "b", force=True)
    assert pool.made[2:] == [("b", 1, False, True)]


def test_what_stops_a_batch_keeps_its_results(heads):
    pool = Scripted(slots=1, stop_after=3)
    with Journal.opened(heads) as journal:
        batch = Batch(heads, pool, journal)
        with pytest.raises(KeyboardInterrupt):
            batch.run([job(heads, name) for name in "abcde"])
    assert [result.job.name for result in batch.results] == ["a", "b"] and pool.stopped


def test_a_head_that_is_finished_while_the_batch_is_stopped_counts(heads, monkeypatch):
    pool = Scripted(slots=1, stop_after=1)
    monkeypatch.setattr(pool, "stop", lambda: write_head(heads / "a"))
    with Journal.opened(heads) as journal:
        batch = Batch(heads, pool, journal)
        with pytest.raises(KeyboardInterrupt):
            batch.run([job(heads, "a")])
    assert [result.state for result in batch.results] == ["finished"]


def test_heads_may_be_in_folders_of_folders(heads):
    batch = run(heads, Scripted(), ["team/anna", "team/bob"])
    assert len(batch.results) == 2 and batch.log(batch.results[0].job)== heads / "logs" / "team" / "anna.log"
