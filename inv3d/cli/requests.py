"""The options of `inv3d batch`: those of the commands that it runs, checked by their own parsers; and the jobs they make."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, get_type_hints

import typer
from typer.models import ArgumentInfo

from inv3d.cli.manifest import IMAGE, OUT, VIDEO, Known, Row
from inv3d.cli.options import given
from inv3d.core.errors import Inv3dError, UsageError

if TYPE_CHECKING:
    from typer.core import TyperOption

    from inv3d.batch.job import Job

_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")
OF_THE_BATCH = ("out", "device", "force", "resume", "json", "debug")
"""Options of all commands that concern the batch as a whole."""
OF_NO_HEAD = {VIDEO: ("replay", "encoder"), IMAGE: ()}
"""Options, by command, for what is no head: a batch makes heads."""


def options_of(*commands: Callable[..., None]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of other commands, except those that it has itself. It receives them by its `**` parameter."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        found: dict[str, inspect.Parameter] = {}
        for each in (function, *commands):
            hints = get_type_hints(each, include_extras=True)
            for name, parameter in inspect.signature(each).parameters.items():
                own = each is function
                other = not own and (_is_argument(hints[name]) or name in OF_NO_HEAD[each.__name__])
                if parameter.kind is inspect.Parameter.VAR_KEYWORD or other:
                    continue
                default = parameter.default
                kind = inspect.Parameter.KEYWORD_ONLY
                found.setdefault(name, inspect.Parameter(name, kind, default=default, annotation=hints[name]))
        function.__signature__ = inspect.Signature(list(found.values()))  # type: ignore[attr-defined]
        function.__annotations__ = {name: parameter.annotation for name, parameter in found.items()}
        return function

    return decorate


def _is_argument(hint: Any) -> bool:
    return any(isinstance(each, ArgumentInfo) for each in getattr(hint, "__metadata__", ()))


@dataclass(frozen=True)
class Options:
    """The options of the commands `inv3d video` and `inv3d image` that a row may set: all but those of the batch itself.

    A value is checked by the command that takes it, with its own parser.
    """

    commands: Mapping[str, Any]
    """Typer's commands by their names."""

    @staticmethod
    def of(context: typer.Context) -> Options:
        """Those of the program that a command belongs to."""
        program: Any = context.find_root().command
        return Options({name: program.commands[name] for name in (VIDEO, IMAGE)})

    @functools.cached_property
    def by_command(self) -> dict[str, dict[str, TyperOption]]:
        """By command and name; an option has its long name, without dashes."""
        return {
            name: {
                _name(each): each
                for each in command.params
                if each.param_type_name == "option" and _name(each) not in (*OF_THE_BATCH, *OF_NO_HEAD[name], "help")
            }
            for name, command in self.commands.items()
        }

    @functools.cached_property
    def known(self) -> Known:
        names = dict.fromkeys(name for options in self.by_command.values() for name in options)
        return Known(tuple(names), OF_THE_BATCH)

    def given(self, context: typer.Context) -> dict[str, str]:
        """The values of those options that were given to the batch's own command line."""
        own = {_name(each): each.name or "" for each in given(context)}
        return {name: str(context.params[own[name]]) for name in own if name in self.known.options}

    @functools.cached_property
    def _checked(self) -> dict[tuple[str, str, str], tuple[str, ...]]:
        return {}

    def argument(self, command: str, name: str, value: str) -> tuple[str, ...]:
        """The arguments of a command line that set an option. Raises UsageError or ModelError for a value that its command
        refuses; a batch of a million rows checks each value once."""
        key = (command, name, value)
        if key not in self._checked:
            self._checked[key] = self._check(command, self.by_command[command][name], value)
        return self._checked[key]

    def _check(self, command: str, option: TyperOption, value: str) -> tuple[str, ...]:
        if option.is_flag:
            if value.lower() not in (*_YES, *_NO):
                raise UsageError(f"'{value}' is not true or false", f"see: inv3d {command} --help")
            wanted = value.lower() in _YES
            return (option.opts[0],) if wanted else tuple(option.secondary_opts[:1])
        arguments = (option.opts[0], value)
        try:
            self.commands[command].make_context(command, ["x", *arguments])
        except typer.BadParameter as error:
            raise UsageError(error.message, f"see: inv3d {command} --help") from error
        if check := _checks().get(_name(option)):
            check(value)
        return arguments


def _checks() -> dict[str, Callable[[str], object]]:
    """The options whose values are names, which their commands look up when they begin."""
    import torch

    from inv3d.core.bundle import check_prepared
    from inv3d.core.encoders.kinds import check_encoder_name
    from inv3d.core.helpers import AUTO, OWN, check_helpers
    from inv3d.core.inversion.methods import method_named
    from inv3d.core.inversion.settings import preset_named

    return {
        "preset": lambda name: preset_named(name, torch.device("cpu")), "model": check_prepared, "encoder": check_encoder_name,
        "method": method_named,
        "perceptual": lambda name: check_helpers(name, OWN), "identity": lambda name: check_helpers(AUTO, name),
    }  # fmt: skip


def _name(parameter: Any) -> str:
    return max(parameter.opts, key=len).removeprefix("--")


def jobs_of(rows: Iterable[Row], options: Options, given: Mapping[str, str], folder: Path) -> list[Job]:
    """The jobs of rows, with their heads in `folder`; what is `given` holds for all rows that do not say otherwise.

    Raises UsageError or ModelError for a value that is refused, for heads that would be written to one place, and for an
    option that no row takes.
    """
    from inv3d.batch.job import Job
    from inv3d.places import names_of
    from inv3d.video.picture import photo_endings

    photos = photo_endings()
    jobs: list[Job] = []
    taken: dict[str, str] = {}
    unused = set(given)
    rows = list(rows)
    names = iter(names_of([Path(os.path.abspath(row.inputs[0])) for row in rows if not row.out]))  # noqa: PTH100 - keeps links
    for row in rows:
        inputs = tuple(Path(os.path.abspath(each)) for each in row.inputs)  # noqa: PTH100 - keeps links
        command = row.command or _command_for(inputs, photos)
        own = options.by_command[command]
        unused -= own.keys()
        for name in row.options:
            if name not in own:
                raise UsageError(
                    f"{row.place}, column {name}: `inv3d {command}` has no such option", "leave the cell empty in rows of this kind"
                )
        values = {**{name: value for name, value in given.items() if name in own}, **row.options}
        arguments: list[str] = []
        for name in own:
            if name in values:
                arguments += _argument(options, command, name, values[name], row)
        out = _place(row.out, row.place) if row.out else next(names)
        what = row.place or str(inputs[0])
        key = os.path.normcase(out)
        if key in taken:
            raise UsageError(
                f"{taken[key]} and {what} would both be written to {folder / out}", f"name them in the column {OUT} of a manifest"
            )
        taken[key] = what
        jobs.append(Job(out, command, inputs, tuple(arguments), folder / out))
    _refuse_nested(taken)
    if unused:
        name = min(unused)
        raise UsageError(
            f"--{name} has no effect: none of the inputs are for `inv3d {_owner(options, name)}`", f"leave out --{name}"
        )
    return jobs


def _argument(options: Options, command: str, name: str, value: str, row: Row) -> tuple[str, ...]:
    where = f"{row.place}, column {name}: " if name in row.options else f"--{name}: "
    try:
        return options.argument(command, name, value)
    except Inv3dError as error:
        raise type(error)(where + error.message, error.hint) from error


def _owner(options: Options, name: str) -> str:
    return next(command for command, own in options.by_command.items() if name in own)


def _command_for(inputs: tuple[Path, ...], photos: Container[str]) -> str:
    """What an input is for: a single photo is turned into a head by itself, anything else is a clip or shows one person."""
    single = len(inputs) == 1 and inputs[0].suffix.lower() in photos and not inputs[0].is_dir()
    return IMAGE if single else VIDEO


def _place(text: str, place: str) -> str:
    """The name of a head's folder within the batch's."""
    from inv3d.batch.schedule import RESERVED
    from inv3d.core.files import PARTIAL

    path = PurePosixPath(text.replace("\\", "/"))
    bad = path.is_absolute() or ".." in path.parts or not path.parts or path.drive
    long = any(len(os.fsencode(part)) > 240 for part in path.parts) or len(text) > 1000
    if bad or long or path.parts[0] in RESERVED or any(part.endswith((PARTIAL, ".log")) for part in path.parts):
        raise UsageError(
            f"{place}, column {OUT}: '{text}' is not the name of a folder within --out", "use a name such as anna or team/anna"
        )
    return str(path)


def _refuse_nested(taken: Mapping[str, str]) -> None:
    """Raises UsageError for a head within the folder of another."""
    for name, what in taken.items():
        for above in PurePosixPath(name).parents:
            if str(above) in taken:
                raise UsageError(f"{what} would be written into the head of {taken[str(above)]}", f"use another name in the column {OUT}")
