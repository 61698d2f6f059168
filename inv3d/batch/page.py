"""`index.html`: one page with a thumbnail of every head, which opens from the disk."""

from __future__ import annotations

import base64
import html
import io
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from pydantic import ConfigDict

from inv3d.batch.summary import SUMMARY, Row
from inv3d.core.errors import Inv3dError
from inv3d.core.files import write_whole
from inv3d.core.printable import printable
from inv3d.core.records import STRICT, Number, Record, Text, read_record

PAGE = "index.html"
MOST_SHOWN = 1000
"""Heads with a thumbnail, and failures, on the page: with more, no browser would open it."""
_HEIGHT = 128
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; padding: 0 1.5rem; max-width: 90rem; }
h1 { margin-bottom: 0; overflow-wrap: anywhere; } .note { opacity: .7; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: 1.2rem; margin: 1.5rem 0; }
main > div { overflow-wrap: anywhere; } img, .none { width: 100%; aspect-ratio: 2; object-fit: contain; background: #8882; border-radius: 6px; }
table { border-collapse: collapse; } td, th { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
"""


class _View(Record):
    model_config = ConfigDict(**STRICT, extra="ignore")
    yaw_degrees: Number


class _Views(Record):
    """The yaws of `views/cameras.json`."""

    model_config = ConfigDict(**STRICT, extra="ignore")
    largest = 1 << 24
    convention: Text
    views: tuple[_View, ...]


def write_page(path: Path, title: str, rows: Sequence[Row]) -> None:
    """Write the page on heads in the folder of `path`, whole or not at all. Raises OSError."""
    made = [row for row in rows if row.exit_code == 0]
    others = [row for row in rows if row.exit_code != 0]
    counts = ", ".join(f"{count} {state}" for state, count in Counter(row.state for row in rows).items())
    cards = "".join(_card(path.parent, row) for row in made[:MOST_SHOWN])
    lines = "".join(
        f"<tr><td>{_text(row.head)}</td><td>{_text(row.input)}</td><td>{_text(row.message or row.state)}</td></tr>"
        for row in others[:MOST_SHOWN]
    )
    failures = f"<h2>Without a head</h2><table><tr><th>head<th>input<th>why</tr>{lines}</table>" if lines else ""
    hidden = max(0, len(made) - MOST_SHOWN) + max(0, len(others) - MOST_SHOWN)
    more = f'<p class="note">{hidden} more are listed in <a href="{SUMMARY}">{SUMMARY}</a>.</p>' if hidden else ""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style><h1>{_text(title)}</h1>"
        f'<p class="note">{counts}; figures in <a href="{SUMMARY}">{SUMMARY}</a></p>'
        f"<main>{cards}</main>{failures}{more}</html>\n"
    )
    with write_whole(path, replace=True) as part:
        part.write_text(text, encoding="utf-8")


def _card(folder: Path, row: Row) -> str:
    """A head: what its input and its render show from the front, with links into its folder."""
    picture = thumbnail(folder / row.head)
    shown = f'<img src="data:image/jpeg;base64,{picture}" alt="">' if picture else '<div class="none"></div>'
    place = quote(os.fsencode(row.head))
    facts = [f"{row.psnr:.1f} dB" if row.psnr is not None else "", f"{row.fit_seconds:.0f} s" if row.fit_seconds else ""]
    note = ", ".join(filter(None, facts))
    return (
        f'<div><a href="{place}/report.html">{shown}<br>{_text(row.head)}</a> '
        f'<a href="{place}/view.html">turn</a> <span class="note">{note}</span></div>'
    )


def thumbnail(head: Path) -> str:
    """Base64 of a JPEG: the target nearest to the front, and its render. Empty if it cannot be read any more."""
    try:
        views = read_record(head / "views" / "cameras.json", _Views).views
        nearest = min(range(len(views)), key=lambda i: abs(views[i].yaw_degrees), default=0)
        with Image.open(head / "views" / f"{nearest:02d}-pair.png") as file:
            small = file.convert("RGB")
    except (Inv3dError, OSError, ValueError):
        return ""
    small.thumbnail((4 * _HEIGHT, _HEIGHT))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()


def _text(text: str) -> str:
    return html.escape(printable(text))
