"""`inv3d edit`: heads that smile, age or grow a beard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inv3d.cli.arguments import (
    Assignment,
    Layers,
    Number,
    layers,
    named_strength,
    numbered_strength,
    output_path,
)
from inv3d.cli.options import Debug, Device, Force, HeadFolder, Json, check_folder

if TYPE_CHECKING:
    from inv3d.core.head import Head

UNDO = Number(1, 64, whole=True)


def edit(
    head: HeadFolder,
    changes: Annotated[
        list[Assignment] | None,
        typer.Argument(
            parser=named_strength,
            metavar="[NAME=STRENGTH]...",
            help="Edits, made one after the other; strengths are standard deviations, such as smile=+2 age=-1.",
        ),
    ] = None,
    component: Annotated[
        list[Assignment] | None,
        typer.Option(
            parser=numbered_strength,
            metavar="NUMBER=STRENGTH",
            help="Move along a principal component of the model's codes (GANSpace), numbered from 0; may be repeated.",
        ),
    ] = None,
    layer_range: Annotated[
        Layers | None,
        typer.Option(
            "--layers",
            parser=layers,
            metavar="FIRST-LAST",
            help="Edit these layers of the codes only, counted from 0.",
            show_default="those of each direction",
        ),
    ] = None,
    undo: Annotated[
        int | None, typer.Option(parser=UNDO, metavar="NUMBER", help="First undo the last edits of the head.")
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List the directions, where this head stands and what it allows.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(parser=output_path, metavar="FOLDER", help="Output folder.", show_default="HEAD-edited"),
    ] = None,
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Edit a finished head: smile, age, hair and more. The head itself stays as it is; the edited one is a new folder, which
    `inv3d render`, `inv3d export` and `inv3d edit` read.

    All codes of the head are moved alike. The edits are kept apart from the fit, so that they can be undone.

    Examples: inv3d edit clip-inv3d smile=+2 age=-1 --out younger; inv3d edit clip-inv3d --list
    """
    from inv3d.core.errors import UsageError

    wanted = [*(changes or []), *(component or [])]
    if listed and (wanted or undo or layer_range or out):
        raise UsageError("--list only lists", "use it without edits and without --out")
    if not (listed or wanted or undo):
        raise UsageError(
            "there is nothing to edit", "name an edit such as smile=+2; `inv3d edit HEAD --list` shows all"
        )
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.cli.terminal import document, teller
    from inv3d.core.device import choose_device
    from inv3d.core.files import disk_errors
    from inv3d.core.head import Head
    from inv3d.destination import check_destination
    from inv3d.edited import changed, write_edited
    from inv3d.places import edited_of

    if listed:
        _list(Head.load(head, choose_device(device).device), as_json)
        return
    out = out or edited_of(head)
    check_folder(out)
    check_destination(out, [head], force)
    loaded = Head.load(head, choose_device(device).device)
    span = None if layer_range is None else (layer_range.first, layer_range.last)
    edited = changed(loaded, wanted, undo or 0, span)
    with interruptible(nothing_kept(out)), disk_errors(out):
        write_edited(edited, loaded, head, out)
    tell = teller(as_json)
    tell(f"wrote {out}: {', '.join(map(str, edited.edits)) or 'no edits'}")
    if as_json:
        document({"out": str(out), "edits": _said(edited)})


def _said(head: Head) -> list[dict[str, Any]]:
    return [{"name": each.name, "strength": each.strength, "layers": [each.first, each.last]} for each in head.edits]


def _list(head: Head, as_json: bool) -> None:
    """The head's edits; and the directions of its model, where the head stands, and the strengths that it allows."""
    from inv3d.cli.terminal import document, say, table
    from inv3d.edited import standings

    found = standings(head)
    if as_json:
        document({
            "edits": _said(head),
            "directions": [
                {
                    "name": each.direction.name, "about": each.direction.about, "head": round(each.reading, 2),
                    "least": round(each.least, 2), "most": round(each.most, 2),
                }
                for each in found
            ],
        })  # fmt: skip
        return
    say(f"edits: {', '.join(map(str, head.edits)) or 'none'}")
    if not found:
        say(f"the model '{head.bundle.name}' has no named directions; use --component")
        return
    rows = [
        (each.direction.name, f"{each.reading:+.1f}", f"{each.least:+.1f} to {each.most:+.1f}", each.direction.about)
        for each in found
    ]
    table(("name", "this head", "strengths", "what grows"), rows, ("this head", "strengths"))
