"""What may stand behind an option, and that every number of every command goes through the one rule."""

import inspect
import os
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from inv3d.cli.app import app, explain
from inv3d.cli.arguments import (
    LARGEST_SEED,
    Length,
    Number,
    OneOf,
    Refused,
    angles,
    background,
    device_name,
    either,
    folder_path,
    input_path,
    layers,
    levels,
    named_strength,
    numbered_strength,
    output_path,
    seeds,
    strength_range,
    which_head,
)
from inv3d.core.errors import InputError, UsageError

ODD = ("-1", "0", "nan", "inf", "-inf", "1e39", "1e-300", str(10**20), "", " ", "x", "1,5", "0x10", "--", "١٢e")


def commands(
    application: typer.Typer = app, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], typing.Any]]:
    """The words and the function of every command."""
    for command in application.registered_commands:
        assert command.name is not None
        yield (*path, command.name), command.callback
    for group in application.registered_groups:
        assert group.typer_instance is not None and group.name is not None
        yield from commands(group.typer_instance, (*path, group.name))


def parameters(function: typing.Any) -> Iterator[tuple[str, typing.Any, typing.Any]]:
    """Name, type and Typer's description of every parameter."""
    for name, hint in typing.get_type_hints(function, include_extras=True).items():
        if name != "return" and typing.get_origin(hint) is typing.Annotated:
            kind, description = typing.get_args(hint)[:2]
            yield name, kind, description


def numeric(kind: typing.Any) -> bool:
    return bool({int, float} & {kind, *typing.get_args(kind)})


NUMBERS = [
    pytest.param(words, function, name, description.parser, id=" ".join((*words, name)))
    for words, function in commands()
    for name, kind, description in parameters(function)
    if numeric(kind)
]


def parse(words: tuple[str, ...], function: typing.Any, extra: list[str]) -> dict[str, typing.Any]:
    """Parse a command line of a command without running it."""
    needed = [
        name
        for name, _, description in parameters(function)
        if inspect.signature(function).parameters[name].default is inspect.Parameter.empty
    ]
    arguments: list[str] = []
    for name, kind, description in parameters(function):
        if name in needed and not isinstance(description, type(typer.Argument())):
            arguments += [f"--{name}", "x"]
        elif name in needed:
            arguments.append("aligner" if typing.get_origin(kind) is typing.Literal else "x")
    command = typer.main.get_command(app)
    context = command.make_context("inv3d", [*words, *arguments, *extra], resilient_parsing=True)
    for word in words:
        assert isinstance(command, TyperGroup)
        command = command.commands[word]
    return command.make_context(words[-1], [*arguments, *extra], parent=context).params


@pytest.mark.parametrize(("words", "function", "name", "rule"), NUMBERS)
def test_numbers_of_every_command_have_a_range(words, function, name, rule):
    assert isinstance(rule, Number), "let the option's parser be a Number"
    option = f"--{name.replace('_', '-')}"
    for text in ODD:
        try:
            value = rule(text)
        except Refused:
            with pytest.raises(typer.BadParameter.__mro__[1]) as caught:
                parse(words, function, [f"{option}={text}"])
            problem = explain(caught.value)
            assert isinstance(problem, UsageError) and "\n" not in problem.message + problem.hint
            assert problem.message.startswith(option) and rule.range in problem.message
        else:
            assert rule.low <= value <= rule.high
            assert parse(words, function, [f"{option}={text}"])[name] == value
    for limit in (rule.low, rule.high):
        assert parse(words, function, [f"{option}={limit}"])[name] == limit


def names_of(kind: typing.Any) -> tuple[str, ...]:
    """The names that a type lists, which may be optional."""
    found = (each for each in (kind, *typing.get_args(kind)) if typing.get_origin(each) is typing.Literal)
    return next((typing.get_args(each) for each in found), ())


NAMES = [
    pytest.param(names_of(kind), description.parser, id=" ".join((*words, name)))
    for words, function in commands()
    for name, kind, description in parameters(function)
    if names_of(kind)
]


@pytest.mark.parametrize(("names", "rule"), NAMES)
def test_names_of_every_command_are_told(names, rule):
    assert rule == OneOf(names), "let the option's parser be a OneOf"


def test_a_name_that_is_none_of_them_is_refused():
    assert len(NAMES) >= 7
    assert OneOf(("free", "given"))("given") == "given"
    with pytest.raises(Refused, match="fixed is not free, given or kept"):
        OneOf(("free", "given", "kept"))("fixed")
    assert either(("a",)) == "a"


def test_there_are_numbers_to_check():
    assert len(NUMBERS) >= 25
    assert {words[0] for words, _ in commands()} == {
        "video", "image", "batch", "render", "export", "edit", "view", "models", "train", "doctor"
    }  # fmt: skip


def test_every_command_shows_an_example_and_has_one_style_of_help():
    for words, function in commands():
        text = inspect.getdoc(function)
        assert text and f"inv3d {' '.join(words)}" in text and "Example" in text, words
        for name, _, description in parameters(function):
            assert description.help and description.help.endswith("."), (words, name)


def test_seeds_are_as_large_as_the_generators_of_randomness_take():
    assert seeds(str(LARGEST_SEED)).numbers == (LARGEST_SEED,)
    with pytest.raises(Refused):
        seeds(str(LARGEST_SEED + 1))


def test_lengths_have_units():
    length = Length(10, 10_000)
    texts = ("155mm", "155", "15.5cm", "15.5 cm", "0.155m", " 155 mm ")
    assert [length(text) for text in texts] == pytest.approx([155.0] * 6)
    for text in ("155 inches", "mm", "1m2", "nanmm", "-155mm", "11m", "0.155mm", "155mm\n5"):
        with pytest.raises(Refused, match="such as 155mm"):
            length(text)
    with pytest.raises(Refused, match="from 4mm to 90mm, such as 63mm"):
        Length(4, 90, example="63mm")("91mm")


def test_levels_of_detail_get_coarser():
    assert levels("60000").triangles == (60_000,)
    assert levels("40000,10000,2500").triangles == (40_000, 10_000, 2500)
    for text in ("", "99", "1e4", "40000,", "40000,99", "40000,40000", "100,200", "900,800,700,600,500,400,300"):
        with pytest.raises(Refused):
            levels(text)


def test_lists_of_angles_and_seeds():
    assert angles("-60,0,62.5").degrees == (-60.0, 0.0, 62.5)
    assert seeds("0-3,7").numbers == (0, 1, 2, 3, 7)
    assert str(angles("-60,0")) == "-60,0" and str(seeds("0-3")) == "0-3"  # what help shows of defaults


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "5-3", "1..4", "-1", "1e3", "nan", "0-99999999999", "9" * 400, "0," * 10_001 + "0"]
)
def test_odd_seeds_are_refused_before_they_are_counted_out(text):
    with pytest.raises(Refused):
        seeds(text)


@pytest.mark.parametrize("text", ["", "left,right", "nan", "0,inf", "1e39", "361", ",", "0," * 400 + "0"])
def test_odd_angles_are_refused(text):
    with pytest.raises(Refused):
        angles(text)


@pytest.mark.parametrize(
    "text", ["", "gpu", "cuda:", "cuda:-1", "cuda:1e9", "cuda:99999", "CPU", "cpu:0x", "meta", "cuda:0\n"]
)
def test_odd_devices_are_refused(text):
    with pytest.raises(Refused):
        device_name(text)


def test_backgrounds_are_words_and_colours():
    assert [background(text) for text in ("keep", "white", "#8090a0")] == ["keep", "white", "#8090a0"]
    with pytest.raises(Refused, match="pink is not keep, white, black, transparent or a colour"):
        background("pink")


def test_heads_by_number_and_by_place():
    assert which_head("2").choice == 2
    assert which_head("310,220.5").choice == (310.0, 220.5)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "left", "1,", "1,2,3", "nan,1", "inf,1", "-5,3", "1e9,1"])
def test_odd_heads_are_refused(text):
    with pytest.raises(Refused, match="is not a head"):
        which_head(text)


@pytest.mark.parametrize("text", ["", "  ", ".", "/", "..", "a/..", "x" * 256, "é" * 128])
def test_what_is_no_name_of_a_new_file_is_refused(text):
    with pytest.raises(Refused):
        output_path(text)


def test_names_that_are_odd_but_possible_are_taken():
    for name in ("a:b.png", "[x].png", "-.png", "\udcff.png", "x" * 251 + ".png", "~", "a\nb"):
        assert output_path(f"out/{name}") == Path("out", name)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    assert folder_path(str(tmp_path / "new")) == tmp_path / "new"
    with pytest.raises(Refused):
        folder_path(str(tmp_path / "file"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="not a regular file"):
            input_path(str(path))


def test_inputs_that_cannot_be_seen_are_named(tmp_path, monkeypatch):
    assert input_path(str(tmp_path / "faces-*.png")) == tmp_path / "faces-*.png"  # a pattern
    with pytest.raises(InputError, match="cannot be read"):
        input_path(str(tmp_path / ("x" * 300)))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root
    with pytest.raises(InputError, match="cannot be read: permission denied"):
        input_path(str(tmp_path))


def test_edits_are_names_or_numbers_with_a_strength():
    assert (named_strength("smile=+2").name, named_strength(" age =-.5").strength) == ("smile", -0.5)
    assert (numbered_strength("3=-2").name, numbered_strength("3=1").strength) == (3, 1.0)
    for text in ("smile", "smile=", "=2", "smile=two", "smile=inf", "smile=1=2", "smile=101", "", "="):
        with pytest.raises(Refused, match="is not an edit"):
            named_strength(text)
    for text in ("3", "=1", "three=1", "-1=1", "1.5=1", "3=nan"):
        with pytest.raises(Refused, match="is not a component"):
            numbered_strength(text)


def test_ranges_go_from_one_strength_to_another():
    found = [strength_range(text) for text in ("smile=-2..+2", "3=1.5..-.5", "long-chin=0...5")]
    assert [(each.name, each.start, each.end) for each in found] == [("smile", -2, 2), (3, 1.5, -0.5), ("long-chin", 0, 0.5)]
    for text in ("smile", "smile=2", "smile=..2", "smile=1..", "=1..2", "smile=nan..1", "5000=0..1", "smile=0..inf"):
        with pytest.raises(Refused, match="is not a range of strengths"):
            strength_range(text)


def test_layers_are_one_or_a_range():
    assert [(each.first, each.last) for each in map(layers, ("0-6", "3", "5-5"))] == [(0, 6), (3, 3), (5, 5)]
    for text in ("", "-", "6-", "-6", "6-0", "0-6-7", "a-b", "1.5", "0,6"):
        with pytest.raises(Refused, match="is not a range of layers"):
            layers(text)
