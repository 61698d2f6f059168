"""`inv3d edit`: heads that smile, age or grow a beard, as folders, videos and sheets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inv3d.cli.arguments import (
    Angles,
    Assignment,
    Layers,
    Number,
    OneOf,
    Range,
    Taken,
    angles,
    layers,
    named_strength,
    numbered_strength,
    output_path,
    strength_range,
    styled,
    taken,
)
from inv3d.cli.options import PIXELS, Debug, Device, Force, HeadFolder, Json, check_file, check_folder, refuse_idle

if TYPE_CHECKING:
    from inv3d.core.camera import Camera
    from inv3d.core.head import Head

UNDO = Number(1, 64, whole=True)
FRAMES = Number(2, 2000, whole=True)
_FRAMES, _FPS = 48, 24
_ROWS = 5
_SIDE = 192  # pixels of a picture in a sheet


def edit(
    context: typer.Context,
    head: HeadFolder,
    changes: Annotated[
        list[Assignment] | None,
        typer.Argument(
            parser=named_strength,
            metavar="NAME=STRENGTH",
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
    take: Annotated[
        list[Taken] | None,
        typer.Option(
            parser=taken,
            metavar="NAME=HEAD",
            help="Then take something from another head of the same model, such as hair=other-inv3d; --list shows the names; "
            "may be repeated.",
        ),
    ] = None,
    style: Annotated[
        list[Assignment] | None,
        typer.Option(
            parser=styled,
            metavar="NAME[=STRENGTH]",
            help="Then turn the head into one of another kind: toon is a stylised head of the same person, toon=0.5 half of one.",
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
    space: Annotated[
        Literal["original", "inversion"],
        typer.Option(
            parser=OneOf(("original", "inversion")),
            metavar="original|inversion",
            help="Where the directions were found: among the generator's own codes, or among those that the encoder reads off "
            "pictures (PREIM3D's inversion manifold).",
        ),
    ] = "original",
    animate: Annotated[
        list[Range] | None,
        typer.Option(
            parser=strength_range,
            metavar="NAME=FROM..TO",
            help="Write a video instead, in which the strength of an edit goes from one to the other and back; may be repeated, "
            "for edits that move together. A number names a component.",
        ),
    ] = None,
    sheet: Annotated[
        list[Range] | None,
        typer.Option(
            parser=strength_range,
            metavar="NAME=FROM..TO",
            help="Write a PNG file instead, in which the strength grows from top to bottom; may be repeated.",
        ),
    ] = None,
    yaw: Annotated[
        Angles | None,
        typer.Option(
            parser=angles,
            metavar="DEGREES",
            help="Yaw of the video, or yaws across the sheet, separated by commas.",
            show_default="the front; from side to side",
        ),
    ] = None,
    path: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Move the camera of the video along a path of `inv3d render`, such as swing.",
            show_default="none",
        ),
    ] = "",
    frames: Annotated[
        int | None,
        typer.Option(parser=FRAMES, metavar="NUMBER", help="Pictures of the video.", show_default=str(_FRAMES)),
    ] = None,
    resolution: Annotated[
        int | None,
        typer.Option(
            parser=PIXELS,
            metavar="PIXELS",
            help="Pixels per side of each picture of a video or a sheet.",
            show_default=f"those of `inv3d render`; {_SIDE} in a sheet",
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List the directions, where this head stands and what it allows.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=output_path,
            metavar="PATH",
            help="Output folder; or the file of a video (.mp4, .webm or .gif) or a sheet (.png).",
            show_default="HEAD-edited, with the ending of its kind",
        ),
    ] = None,
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Edit a finished head: smile, age, hair and more. The head itself stays as it is; the edited one is a new folder, which
    `inv3d render`, `inv3d export` and `inv3d edit` read.

    All codes of the head are moved alike. The edits are kept apart from the fit, so that they can be undone.

    Examples: inv3d edit clip-inv3d smile=+2 age=-1 --out younger; inv3d edit clip-inv3d --animate smile=-2..2 --out smile.mp4
    """
    from inv3d.core.errors import UsageError

    wanted: list[Assignment] = [*(changes or []), *(component or [])]
    span = None if layer_range is None else (layer_range.first, layer_range.last)
    moving = [*(animate or []), *(sheet or [])]
    if animate and sheet:
        raise UsageError("--animate and --sheet exclude each other", "use one of them")
    if listed and (wanted or take or style or moving or undo or layer_range or out):
        raise UsageError("--list only lists", "use it without edits and without --out")
    if not (listed or wanted or take or style or undo or moving):
        raise UsageError(
            "there is nothing to edit", "name an edit such as smile=+2; `inv3d edit HEAD --list` shows all"
        )
    shown, filmed = (bool(moving), "with --animate or --sheet"), (bool(animate), "with --animate")
    directed = bool(wanted or take or moving), "with what moves codes: edits, --component or --take"
    named = bool(listed or changes) or any(isinstance(each.name, str) for each in moving), "with edits by name, or with --list"
    uses = {"yaw": shown, "resolution": shown, "path": filmed, "frames": filmed, "layer_range": directed, "space": named}
    refuse_idle(context, uses)
    if animate:
        _check_view(yaw, path)

    from inv3d.cli.terminal import document, teller
    from inv3d.core.device import choose_device
    from inv3d.core.headfile import load_head
    from inv3d.edited import Taking, changed
    from inv3d.places import edited_of, title_of

    if listed:
        _list(_in_space(load_head(head, choose_device(device).device), space), as_json)
        return
    if moving:
        out = out or edited_of(head, ".mp4" if animate else ".png")
        check_file(out, force, _MOVING if animate else (".png",), "a video" if animate else "a PNG file")
    else:
        out = out or edited_of(head)
        _check_folder(out, [head, *(each.head for each in take or [])], force)
    chosen = choose_device(device).device
    before = _in_space(load_head(head, chosen), space)
    takes = [Taking(each.name, load_head(each.head, chosen), title_of(each.head)) for each in take or []]
    edited = changed(before, wanted, undo or 0, span, takes, style or [])
    if animate:
        _animate(edited, animate, span, yaw, path, frames or _FRAMES, resolution, out, force, as_json)
    elif sheet:
        _sheet(edited, sheet, span, yaw, resolution or _SIDE, out, force, as_json)
    else:
        _write(edited, before, head, out, as_json)
    told = ", ".join(map(str, (*edited.edits, *moving)))
    teller(as_json)(f"wrote {out}: {told or 'no edits'}")
    if as_json:
        ranges = [{"name": each.name, "from": each.start, "to": each.end} for each in moving]
        document({"out": str(out), "edits": _said(edited), **({"ranges": ranges} if moving else {})})


_MOVING = (".mp4", ".webm", ".gif")


def _in_space(head: Head, space: str) -> Head:
    """The head with the directions of a space. Raises ModelError if the model has none there."""
    from inv3d.core.encoders.kinds import PREIM3D
    from inv3d.core.encoders.manifold import in_manifold

    return head if space == "original" else in_manifold(head, PREIM3D)


def _check_view(yaw: Angles | None, path: str) -> None:
    """Raises UsageError if a video cannot be seen from these yaws, or along this path."""
    from inv3d.core.errors import UsageError
    from inv3d.export.paths import PATHS

    if path and path not in PATHS:
        raise UsageError(f"--path '{path}' is not known", f"use {', '.join(PATHS)}")
    if path and yaw:
        raise UsageError("--yaw and --path exclude each other", "use one of them")
    if yaw and len(yaw.degrees) > 1:
        raise UsageError(f"--yaw {yaw} has several angles", "a video shows one; --sheet shows several, --path moves")


def _check_folder(out: Path, heads: list[Path], force: bool) -> None:
    from inv3d.destination import check_destination

    check_folder(out)
    check_destination(out, heads, force)


def _write(edited: Head, before: Head, source: Path, out: Path, as_json: bool) -> None:
    from inv3d.cli.progress import reporter
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.core.files import disk_errors
    from inv3d.edited import write_edited

    with interruptible(nothing_kept(out)), disk_errors(out), reporter(as_json) as progress:
        write_edited(edited, before, source, out, progress)


def _animate(
    head: Head, ranges: list[Range], span: tuple[int, int] | None, yaw: Angles | None, path: str, frames: int,
    resolution: int | None, out: Path, force: bool, as_json: bool,
) -> None:  # fmt: skip
    from inv3d.budget import require_pictures
    from inv3d.cli.progress import reporter
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.core.files import disk_errors
    from inv3d.core.inversion.loop import staged
    from inv3d.edited import swept
    from inv3d.export.edits import shares_of, write_animation
    from inv3d.export.film import along

    require_pictures(head.bundle.info, resolution, frames)
    choices = swept(head, ranges, shares_of(frames), span)
    cameras = along(head, path, frames) if path else _from_yaw(head, yaw)
    with interruptible(nothing_kept(out)), disk_errors(out), reporter(as_json) as progress:
        write_animation(head, choices, cameras, resolution, out, _FPS, force, staged(progress, "pictures"))


def _from_yaw(head: Head, yaw: Angles | None) -> Camera:
    """The camera [1] at a yaw; by default the most frontal that the input shows."""
    import torch

    low, high = head.yaw_range
    chosen = torch.zeros(1).clamp(low, high) if yaw is None else torch.tensor(yaw.degrees).deg2rad()
    return head.camera(chosen, torch.zeros(1))


def _sheet(
    head: Head, ranges: list[Range], span: tuple[int, int] | None, yaw: Angles | None, resolution: int, out: Path, force: bool,
    as_json: bool,
) -> None:  # fmt: skip
    import torch

    from inv3d.budget import require_pictures
    from inv3d.cli.progress import reporter
    from inv3d.cli.signals import interruptible, nothing_kept
    from inv3d.core.files import disk_errors, write_whole
    from inv3d.core.inversion.loop import staged
    from inv3d.edited import swept, yaws_across
    from inv3d.export.edits import sweep_sheet
    from inv3d.export.pictures import save_png

    yaws = yaws_across(head) if yaw is None else torch.tensor(yaw.degrees).deg2rad()
    require_pictures(head.bundle.info, resolution, _ROWS * len(yaws))
    shares = [i / (_ROWS - 1) for i in range(_ROWS)]
    choices = swept(head, ranges, shares, span)
    words = [" ".join(f"{edit.name}={edit.strength:+.3g}" for edit in choice[-len(ranges) :]) for choice in choices]
    with interruptible(nothing_kept(out)), disk_errors(out), write_whole(out, replace=force) as part, reporter(as_json) as progress:
        save_png(part, sweep_sheet(head, choices, words, yaws, resolution, staged(progress, "yaws")))


def _said(head: Head) -> list[dict[str, Any]]:
    return [{"name": each.name, "strength": each.strength, "layers": [each.first, each.last]} for each in head.edits]


def _list(head: Head, as_json: bool) -> None:
    """The head's edits; and the directions of its model, where the head stands, and the strengths that it allows."""
    from inv3d.cli.terminal import document, say, table
    from inv3d.edited import standings, takeable

    found, others = standings(head), takeable(head)
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
            "take": others,
            "styles": head.bundle.styles,
        })  # fmt: skip
        return
    say(f"edits: {', '.join(map(str, head.edits)) or 'none'}")
    say(f"--take from another head: {', '.join(others)}")
    say(f"--style: {', '.join(head.bundle.styles) or 'none'}")
    if not found:
        say(f"the model '{head.bundle.name}' has no named directions; use --component")
        return
    rows = [
        (each.direction.name, f"{each.reading:+z.1f}", f"{each.least:+z.1f} to {each.most:+z.1f}", each.direction.about)
        for each in found
    ]
    table(("name", "this head", "may be added", "what grows"), rows, ("this head", "may be added"))
