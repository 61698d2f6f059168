import pytest
import typer

from inv3d.cli.app import app
from inv3d.cli.manifest import Row
from inv3d.cli.requests import OF_NO_HEAD, OF_THE_BATCH, Options, jobs_of
from inv3d.core.errors import ModelError, UsageError


@pytest.fixture(scope="module")
def program():
    return typer.main.get_command(app)


@pytest.fixture
def options(program):
    return Options({name: program.commands[name] for name in ("video", "image")})


def context(program, *arguments):
    command = program.commands["batch"]
    return command.make_context("batch", [*arguments, "--out", "x"], parent=program.make_context("inv3d", ["batch"]))


def test_every_option_of_the_commands_is_one_of_the_batch(program, options):
    of_batch = {name for each in program.commands["batch"].params for name in each.opts}
    for command in ("video", "image"):
        for each in program.commands[command].params:
            if each.param_type_name == "option":
                name = each.opts[0].removeprefix("--")
                assert name in OF_NO_HEAD[command] or set(each.opts) <= of_batch
                assert (name in options.by_command[command]) == (name not in (*OF_THE_BATCH, *OF_NO_HEAD[command]))
    assert {"views", "latents", "encoder", "refine", "seed", "head"} <= set(options.known.options)
    assert "replay" not in options.known.options  # it makes no head


def test_only_what_was_given_counts(program, options):
    told = context(program, "clips", "--views", "7", "--no-latents", "--head", "310,220", "--effort", "0.5")
    given = options.given(told)
    assert given == {"views": "7", "latents": "False", "head": "310,220", "effort": "0.5"}
    assert options.given(context(program, "clips")) == {}
    assert options.argument("video", "latents", given["latents"]) == ("--no-latents",)


def test_a_row_says_more_than_the_command_line(tmp_path, options):
    rows = [Row(("a.mp4",)), Row(("b.mp4",), {"views": "5", "latents": "no"}, place="jobs.csv, row 3"), Row(("c.jpg",))]
    jobs = jobs_of(rows, options, {"views": "7", "latents": "True", "preset": "draft", "refine": "3"}, tmp_path)
    assert [job.command for job in jobs] == ["video", "video", "image"]
    assert [job.options for job in jobs] == [
        ("--views", "7", "--latents", "--preset", "draft"), ("--views", "5", "--no-latents", "--preset", "draft"),
        ("--refine", "3", "--preset", "draft"),
    ]  # fmt: skip
    assert [job.name for job in jobs] == ["a-inv3d", "b-inv3d", "c-inv3d"]
    assert all(path.is_absolute() for job in jobs for path in job.inputs) and jobs[0].out == tmp_path / "a-inv3d"


def test_several_photos_or_a_folder_of_them_show_one_person(tmp_path, options):
    (tmp_path / "photos.jpg").mkdir()
    rows = [Row(("a.jpg", "b.jpg")), Row((str(tmp_path / "photos.jpg"),)), Row(("x",)), Row(("y.mp4",), {}, "", "image")]
    assert [job.command for job in jobs_of(rows, options, {}, tmp_path)] == ["video", "video", "video", "image"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"views": "0"}, "jobs.csv, row 2, column views: 0 is not a whole number"),
        ({"latents": "maybe"}, "row 2, column latents: 'maybe' is not true or false"),
        ({"head": "left"}, "row 2, column head: left is not a head"),
        ({"preset": "best"}, "row 2, column preset: there is no preset 'best'"),
        ({"perceptual": "x"}, "row 2, column perceptual: there is no perceptual network 'x'"),
        ({"identity": "x"}, "row 2, column identity: there is no identity network 'x'"),
        ({"matte": "u2net"}, "row 2, column matte: u2net is not auto, own or rembg"),
        ({"refine": "3"}, "row 2, column refine: `inv3d video` has no such option"),
        ({"background": "pink"}, "row 2, column background: pink is not keep"),
        ({"seed": "--force"}, "row 2, column seed"),
    ],
)
def test_a_value_that_is_refused_is_named_with_its_row_and_column(tmp_path, options, row, words):
    with pytest.raises(UsageError) as caught:
        jobs_of([Row(("a.mp4",), row, "", "", "jobs.csv, row 2")], options, {}, tmp_path)
    assert words in caught.value.message and caught.value.hint


def test_a_model_that_is_missing_ends_the_batch_before_it_starts(tmp_path, options):
    with pytest.raises(ModelError, match="row 2, column model: "):
        jobs_of([Row(("a.mp4",), {"model": "ffhq"}, "", "", "jobs.csv, row 2")], options, {}, tmp_path)
    with pytest.raises(UsageError, match="--encoder: there is no encoder 'e4e'"):
        jobs_of([Row(("a.jpg",))], options, {"encoder": "e4e"}, tmp_path)


def test_an_option_that_no_input_takes_is_refused(tmp_path, options):
    with pytest.raises(UsageError, match="--tune has no effect: none of the inputs are for `inv3d image`"):
        jobs_of([Row(("a.mp4",))], options, {"tune": "3"}, tmp_path)


@pytest.mark.parametrize("out", ["/x", "../x", "a/../../x", "logs", "summary.csv", "journal.jsonl/x", "x.partial", "x.log/y", ".", "a" * 300])
def test_heads_stay_in_the_folder_of_the_batch(tmp_path, options, out):
    with pytest.raises(UsageError, match="column out"):
        jobs_of([Row(("a.mp4",), {}, out, "", "jobs.csv, row 2")], options, {}, tmp_path)


def test_no_two_heads_share_a_folder(tmp_path, options):
    with pytest.raises(UsageError, match="would both be written to"):
        jobs_of([Row(("x/a.mp4",)), Row(("y/a.mp4",))], options, {}, tmp_path)
    pair = jobs_of([Row(("a.mp4",)), Row(("b.mp4",), {}, "mine"), Row(("a.jpg",))], options, {}, tmp_path)
    assert [job.name for job in pair] == ["a.mp4-inv3d", "mine", "a.jpg-inv3d"]
    rows = [Row(("a.mp4",), {}, out, "", f"row {out}") for out in ("team", "team/anna")]
    with pytest.raises(UsageError, match="row team/anna would be written into the head of row team"):
        jobs_of(rows, options, {}, tmp_path)
    (job,) = jobs_of(rows[1:], options, {}, tmp_path)
    assert (job.name, job.out) == ("team/anna", tmp_path / "team" / "anna")
