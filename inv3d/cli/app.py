"""The `inv3d` command: sub-commands, and how errors reach the person."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import inv3d
from inv3d.cli import doctor, export, image, models, render, train, video
from inv3d.core.errors import Inv3dError

app = typer.Typer(
    name="inv3d",
    help="Turn a head-turn video, or one photo, into a 3D head: `inv3d video clip.mp4 --views 9 --latents`, `inv3d image "
    "face.png`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("video")(video.video)
app.command("image")(image.image)
app.command("render")(render.render)
app.command("export")(export.export)
app.add_typer(models.app, name="models")
app.add_typer(train.app, name="train")
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"inv3d {inv3d.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that every command shares."""


def main() -> None:
    """Run the command line; errors a person can mend become two lines and an exit code."""
    debug = "--debug" in sys.argv
    try:
        app()
    except Inv3dError as error:
        if debug:
            raise
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
