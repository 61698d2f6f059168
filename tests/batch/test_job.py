from dataclasses import replace

import pytest

from inv3d.batch.job import Attempt, Ending, Result, verdict

from .heads import job, write_head


@pytest.fixture
def first(tmp_path):
    (tmp_path / "heads").mkdir()
    return Attempt(job(tmp_path / "heads", "a", "--views", "9"))


def test_the_command_line_of_an_attempt(first):
    clip, out = str(first.job.inputs[0]), str(first.job.out)
    assert first.arguments == ("video", clip, "--views", "9", "--out", out)
    again = replace(first, resume=True, force=True)
    assert again.arguments == (*first.arguments, "--resume", "--force")
    assert again.job.request == first.job.request == ("video", clip, "--views", "9")


@pytest.mark.parametrize("code", [None, -9, -15, 130, 5])
def test_a_head_is_tried_again_and_continued_after_a_loss(first, code):
    second = verdict(first, Ending(code), 2)
    assert second == replace(first, number=2, resume=True)
    last = verdict(replace(first, number=3), Ending(code, "here:1", 4.0, 3.5, "out of memory", "buy some"), 2)
    assert isinstance(last, Result) and last.code == 5 and last.attempts == 3 and last.worker == "here:1"


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_what_another_attempt_would_not_change_is_not_tried_again(first, code):
    result = verdict(first, Ending(code, "here:1", 4.0, 3.5, "it is broken", "mend it"), 2)
    assert result == Result(first.job, code, "it is broken", "mend it", 1, 4.0, 3.5, "here:1")


@pytest.mark.parametrize("code", [0, None, -9, 5, 2])
def test_a_head_that_is_there_counts_whatever_became_of_its_process(first, code):
    write_head(first.job.out)
    assert verdict(first, Ending(code, "here:1", 4.0, 3.5), 2) == Result(first.job, 0, "", "", 1, 4.0, 3.5, "here:1")


def test_a_head_that_was_there_before_does_not_count(first):
    write_head(first.job.out)
    forced = replace(first, force=True, before=first.job.stamp)
    assert verdict(forced, Ending(-9), 2) == replace(forced, number=2, resume=True)
    (first.job.out / "run.json").unlink()
    (first.job.out / "run.json").write_text("new")
    result = verdict(forced, Ending(-9), 2)
    assert isinstance(result, Result) and result.code == 0


def test_an_unfinished_head_that_cannot_be_continued_is_started_anew(first):
    resumed = replace(first, resume=True)
    anew = verdict(resumed, Ending(2, message="the run in x has other settings"), 2)
    assert anew == replace(first, number=2, force=True)
    assert isinstance(anew, Attempt)
    result = verdict(anew, Ending(2, message="the disk is full"), 2)
    assert isinstance(result, Result) and result.code == 2


def test_a_head_that_only_its_worker_sees_is_a_fault_of_the_folder(first):
    result = verdict(first, Ending(0), 2)
    assert isinstance(result, Result) and result.code == 2
    assert "cannot be seen here" in result.message and "share" in result.hint


def test_states(first):
    states = [Result(first.job), Result(first.job, passed=True), Result(first.job, 3)]
    assert [result.state for result in states] == ["finished", "passed over", "failed"]
