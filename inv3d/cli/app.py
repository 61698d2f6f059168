"""The `inv3d` command: its sub-commands, and how errors are shown."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated, Any

import typer

import inv3d
from inv3d.cli import (
    batch,
    directions,
    doctor,
    edit,
    export,
    image,
    models,
    render,
    sheets,
    signals,
    terminal,
    train,
    video,
    view,
)
from inv3d.cli.arguments import Refused
from inv3d.core.errors import InputError, Inv3dError, OutOfMemoryError, StoppedError, UsageError
from inv3d.memory import out_of_memory, ran_out, require_start

_USAGE = typer.BadParameter.__mro__[1]
"""The base class of the errors of Typer's parser; its module depends on Typer's version."""


def _help_alone(context: typer.Context) -> None:
    """Show the help of a command group that is called without a command."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(UsageError.exit_code)


def _version(wanted: bool) -> None:
    if wanted:
        terminal.say(f"inv3d {inv3d.__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Turn a head-turn video, or one photo, into a 3D head.

    Examples: inv3d video clip.mp4 --views 9 --latents; inv3d image face.png
    """
    _help_alone(context)
    if "--help" not in sys.argv:
        require_start()


app = typer.Typer(name="inv3d", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.callback(invoke_without_command=True)(_root)
app.command("video")(video.video)
app.command("image")(image.image)
app.command("batch")(batch.batch)
app.command("render")(render.render)
app.command("export")(export.export)
app.command("edit")(edit.edit)
app.command("view")(view.view)
models.app.command("sample")(sheets.sample)
models.app.command("directions")(sheets.directions)
models.app.command("import-directions")(directions.import_directions)
models.app.command("source")(sheets.source)
for _group, _name in ((models.app, "models"), (train.app, "train")):
    _group.callback(invoke_without_command=True)(_help_alone)
    app.add_typer(_group, name=_name)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command line and end the process with its exit code.

    Every failure becomes two lines on standard error and an exit code; a traceback is printed only with --debug.
    """
    signals.install()
    terminal.prepare()
    debug = "--debug" in sys.argv
    try:
        code = app(prog_name="inv3d", standalone_mode=False) or 0
        if code == StoppedError.exit_code:  # what Typer makes of KeyboardInterrupt
            terminal.complain("stopped", "run the same command again")
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        signals.ignore()
        if debug:
            traceback.print_exc()
        problem = explain(error)
        terminal.complain(problem.message, problem.hint)
        code = problem.exit_code
    signals.ignore()
    lost = terminal.finish()
    if lost is not None and not code:
        terminal.complain(f"cannot write to standard output: {lost.strerror}", "free some space; the results are kept")
        code = UsageError.exit_code
    sys.exit(code)


def explain(error: BaseException) -> Inv3dError:
    """The error as it is shown to the user."""
    if isinstance(error, typer.Abort) and error.__cause__ is not None:  # what Typer makes of the end of a file
        error = error.__cause__
    if isinstance(error, (StoppedError, OutOfMemoryError)):
        return error
    if ran_out(error):
        return out_of_memory(error, _options())
    if isinstance(error, Inv3dError):
        return error
    if isinstance(error, RuntimeError) and (refusal := _refused(error)) is not None:
        return refusal
    if isinstance(error, _USAGE):
        return _wrong_usage(error)
    if isinstance(error, OSError) and error.filename is not None:
        return InputError(f"cannot use {error.filename}: {error.strerror}", "check the path and its permissions")
    reason = (str(error).strip() or "no reason given").splitlines()[0]
    return Inv3dError(
        f"internal error: {type(error).__name__}: {reason}",
        "please report it, with the output of the same command run with --debug",
    )


def _options() -> set[str]:
    """The options of the command that the command line names."""
    command: Any = typer.main.get_command(app)
    for word in sys.argv[1:]:
        command = getattr(command, "commands", {}).get(word, command)
    return {name for each in command.params for name in each.opts}


def _refused(error: RuntimeError) -> UsageError | None:
    from inv3d.core.repeatable import refused

    return refused(error)


def _wrong_usage(error: Any) -> UsageError:
    """An error of Typer's parser as ours; the message starts with the option's name."""
    context, parameter = error.ctx, getattr(error, "param", None)
    hint = f"see: {context.command_path if context else 'inv3d'} --help"
    if not isinstance(error, Refused) or parameter is None:
        return UsageError(error.format_message().strip().rstrip("."), hint)
    name = max(parameter.opts, key=len) if parameter.param_type_name == "option" else f"{parameter.metavar}:"
    return UsageError(f"{name} {error.message}", hint)
