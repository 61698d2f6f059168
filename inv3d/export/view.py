"""The page `view.html`: the mesh to turn and the renders along the yaw axis, in one file that opens offline.

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
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inv3d.core.head import Head
from inv3d.core.printable import printable
from inv3d.core.views import Views
from inv3d.export.pictures import to_array

VIEW = "view.html"
_MOST_RENDERS = 33
_QUALITY = 85  # of JPEG


def write_view(
    path: Path,
    name: str,
    head: Head,
    mesh: bytes,
    yaws: Sequence[float],
    renders: Sequence[NDArray[np.uint8]],
    targets: Views,
) -> None:
    """Write the page of a head called `name`: its `mesh` as GLB, its `renders` [H,W,3] at ascending `yaws` (radians), and
    the targets that it was fitted to. Raises OSError."""
    step = math.ceil(len(renders) / _MOST_RENDERS)
    shown = [_at(yaw, _jpeg(image)) for yaw, image in zip(yaws[::step], renders[::step], strict=True)]
    cameras = targets.cameras
    codes = head.track.yaws.rad2deg().tolist() if len(head.track) > 1 else []
    data = {
        "mesh": base64.b64encode(mesh).decode(),
        "renders": shown,
        "frames": [_at(float(cameras[i].yaw), _jpeg(to_array(image))) for i, image in enumerate(targets.images)],
        "codes": codes,
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


def _jpeg(image: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
