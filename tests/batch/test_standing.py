import pytest

from inv3d.batch.job import Job, Result
from inv3d.batch.journal import Journal
from inv3d.batch.standing import refuse_existing, standing
from inv3d.core.errors import UsageError

from .heads import job, write_head


@pytest.fixture
def heads(tmp_path):
    return tmp_path / "heads"


@pytest.fixture
def journal(heads):
    heads.mkdir()
    with Journal.opened(heads) as opened:
        yield opened


def finish(journal: Journal, one: Job) -> None:
    write_head(one.out, one.inputs[0])
    journal.ended(Result(one))


def again(heads, one, force=False):
    with Journal.opened(heads) as journal:
        return standing(one, journal, force)


def test_what_is_not_there_is_to_be_done(heads, journal):
    assert standing(job(heads, "a"), journal, False) is None
    half = job(heads, "b")
    half.partial.mkdir()
    assert standing(half, journal, False) is None


def test_a_finished_head_is_passed_over(heads, journal):
    one = job(heads, "a")
    finish(journal, one)
    assert again(heads, one) == again(heads, one, force=True) == Result(one, passed=True)


def test_without_a_journal_a_head_is_known_by_its_input(heads, journal):
    one = job(heads, "a", command="image")
    write_head(one.out, one.inputs[0])
    assert standing(one, journal, False) == Result(one, passed=True)
    one.inputs[0].write_text("another")
    changed = standing(one, journal, False)
    assert changed is not None and changed.code == 2 and "earlier version" in changed.message and "--force" in changed.hint
    assert standing(one, journal, True) is None


def test_a_head_of_something_else_is_kept_unless_forced(heads, journal):
    one, other = job(heads, "a"), job(heads, "a", "--seed", "2")
    finish(journal, one)
    kept = again(heads, other)
    assert kept.code == 2 and "other options" in kept.message
    assert again(heads, other, force=True) is None


def test_a_folder_of_somebody_else_is_no_head(heads, journal):
    one = job(heads, "a")
    one.out.mkdir()
    (one.out / "mine.txt").write_text("mine")
    refused = standing(one, journal, False)
    assert refused is not None and refused.code == 2


def test_without_resume_nothing_may_be_there(heads, journal):
    one, half, new = (job(heads, name) for name in "abc")
    refuse_existing([one, half, new], heads)
    half.partial.mkdir()
    with pytest.raises(UsageError, match=r"b exists already"):
        refuse_existing([one, half, new], heads)
    one.out.mkdir()
    with pytest.raises(UsageError, match=r"a and 1 more"):
        refuse_existing([one, half, new], heads)
