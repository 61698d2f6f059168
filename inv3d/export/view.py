"""The page `view.html`: the mesh to turn, the renders along the yaw axis and edits, in one file that opens offline.

Its script is built from `web/view.js` and three.js (MIT licence, see `page/three.LICENSE`).
"""

from __future__ import annotations

import base64
import html
import importlib.resources
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from inv3d.core.counting import Counted, counting, uncounted
from inv3d.core.editing.edits import Edit
from inv3d.core.generator import Render
from inv3d.core.head import Head
from inv3d.core.printable import printable
from inv3d.core.views import Views, to_array

VIEW, MESH = "view.html", "mesh.glb"
_MOST_RENDERS = 33
_QUALITY = 85  # of JPEG
_MOST_SLIDERS = 6
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of an edit, at which there are pictures


@dataclass(frozen=True)
class EditPictures:
    """An edit called `name`, made at ascending `strengths` in standard deviations, and a picture [H,W,3] of the head at each;
    the head itself is `at` one of them."""

    name: str
    strengths: Sequence[float]
    pictures: Sequence[NDArray[np.uint8]]
    at: float = 0.0


def edit_pictures(
    head: Head, resolution: int | None = None, counted: Counted = uncounted
) -> list[EditPictures]:
    """The last edits of a head from none to their own strengths, each with all others as they are, from the front."""
    low, high = head.shown_range
    camera = head.camera(torch.tensor([min(max(0.0, low), high)]), torch.zeros(1))
    last = list(enumerate(head.edits))[-_MOST_SLIDERS:]
    picture = counting(picture_of, counted, len(_SHARES) * len(last))
    found = []
    for i, edit in last:
        shares = _SHARES if edit.strength >= 0 else _SHARES[::-1]
        choices = [(*head.edits[:i], *_share_of(edit, share), *head.edits[i + 1 :]) for share in shares]
        pictures = head.render_edits(choices, camera, picture, resolution)
        found.append(EditPictures(edit.name, [share * edit.strength for share in shares], pictures, edit.strength))
    return found


def picture_of(render: Render) -> NDArray[np.uint8]:
    """The picture [H,W,3] of a render [1]."""
    return to_array(render.image[0])


def _share_of(edit: Edit, share: float) -> tuple[Edit, ...]:
    """So much of an edit; nothing of it is no edit."""
    return (replace(edit, strength=share * edit.strength, displacement=share * edit.displacement),) if share else ()


def write_view(
    path: Path,
    name: str,
    head: Head,
    mesh: bytes,
    yaws: Sequence[float],
    renders: Sequence[NDArray[np.uint8]],
    targets: Views | None = None,
    edits: Sequence[EditPictures] = (),
) -> None:
    """Write the page of a head called `name`: its `mesh` as GLB (empty: none), its `renders` [H,W,3] at ascending `yaws`
    (radians), the targets that it was fitted to, if any are shown, and `edits` that have pictures, with a slider each. It
    links the files that lie beside it now. Raises OSError."""
    step = math.ceil(len(renders) / _MOST_RENDERS)
    shown = [_at(yaw, _jpeg(image)) for yaw, image in zip(yaws[::step], renders[::step], strict=True)]
    codes = head.track.yaws.rad2deg().tolist() if len(head.track) > 1 else []
    data = {
        "mesh": base64.b64encode(mesh).decode(),
        "renders": shown,
        "frames": [] if targets is None else _frames(targets),
        "codes": codes,
        "edits": [_edit(edit) for edit in edits],
        "files": [
            {"name": each.name, "size": each.stat().st_size}
            for each in sorted(path.parent.iterdir())
            if each.is_file() and each.name not in (VIEW, MESH)
        ],
        "picture": next((each.relative_to(path.parent).as_posix() for each in sorted(path.parent.rglob("*.png"))), None),
    }
    note = f"The red marks are the places of the {len(codes)} latent codes on the yaw axis." if codes else ""
    parts = {
        "NAME": html.escape(printable(name)),
        "NOTE": note,
        "RENDER": str(shown[len(shown) // 2]["src"]),
        "DATA": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
        "SCRIPT": _part("view.min.js"),
    }
    page = re.sub(r"@([A-Z]+)@", lambda found: parts[found[1]], _part("view.html"))
    path.write_text(page, encoding="utf-8")


def _part(name: str) -> str:
    return (importlib.resources.files("inv3d.export") / "page" / name).read_text(encoding="utf-8")


def _at(yaw: float, src: str) -> dict[str, float | str]:
    return {"yaw": round(math.degrees(yaw), 2), "src": src}


def _frames(targets: Views) -> list[dict[str, float | str]]:
    return [_at(float(targets.cameras[i].yaw), _jpeg(to_array(image))) for i, image in enumerate(targets.images)]


def _edit(edit: EditPictures) -> dict[str, object]:
    pairs = zip(edit.strengths, edit.pictures, strict=True)
    steps = [{"strength": round(strength, 2), "src": _jpeg(image)} for strength, image in pairs]
    return {"name": edit.name, "steps": steps, "at": round(edit.at, 2)}


def _jpeg(image: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
