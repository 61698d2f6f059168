"""`inv3d models`: what generators there are."""

from __future__ import annotations

from typing import Annotated

import typer

from inv3d.cli.options import Debug, Json

app = typer.Typer(help="The generators on this machine.", no_args_is_help=True)


@app.command("list")
def list_models(as_json: Json = False, debug: Debug = False) -> None:
    """Name, output size, known yaw range and licence of every model."""
    import json

    from inv3d.core.bundle import available, read_info

    infos = [read_info(name) for name in available()]
    if as_json:
        for info in infos:
            typer.echo(json.dumps(info.to_json()))
        return
    for info in infos:
        size = info.generator.resolution
        typer.echo(
            f"{info.name:<10} {size} px, yaws to ±{info.known_yaw:.0f} degrees, licence {info.license}: {info.description}"
        )


@app.command("info")
def model_info(
    name: Annotated[str, typer.Argument(help="A name from `inv3d models list`.")], debug: Debug = False
) -> None:
    """The model card: what the model is, how it was trained, its figures and limits."""
    from inv3d.core.bundle import model_folder, read_info

    info = read_info(name)
    card = model_folder(name) / "CARD.md"
    typer.echo(
        card.read_text(encoding="utf-8")
        if card.is_file()
        else f"{info.name}: {info.description} (licence {info.license})"
    )
