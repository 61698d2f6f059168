"""Jobs, and folders that look like finished heads, for the tests of batches."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from inv3d.batch.job import Job

FAKE = ("-I", "-S", str(Path(__file__).with_name("maker.py")))
"""What Python runs in the place of the command line: it makes such folders."""


def job(folder: Path, name: str, *options: str, command: str = "video") -> Job:
    """A job on a clip of this name, which is created."""
    clip = folder.with_name("clips") / f"{name.replace('/', '-')}.mp4"
    clip.parent.mkdir(exist_ok=True)
    if not clip.exists():
        clip.write_bytes(os.fsencode(name))
    return Job(name, command, (clip,), options, folder / name)


def write_head(out: Path, source: Path | None = None, **changed: object) -> None:
    """A folder as of a finished head, from the file `source`."""
    (out / "views").mkdir(parents=True)
    digest = hashlib.sha256(source.read_bytes() if source else b"").hexdigest()
    run = {
        "version": "0", "sha256": digest, "files": ["run.json"], "device": "cpu", "total_seconds": 60.0,
        "peak_memory_mb": 900.0, "means": {"held_out": {"psnr": 30.5, "lpips": None}, "fit": {"psnr": 33.0}}, **changed,
    }  # fmt: skip
    (out / "run.json").write_text(json.dumps(run))
    cameras = {"convention": "x", "views": [{"yaw_degrees": -40.0}, {"yaw_degrees": 3.0}]}
    (out / "views" / "cameras.json").write_text(json.dumps(cameras))
    for view, grey in enumerate((40, 200)):
        Image.fromarray(np.full((64, 128, 3), grey, np.uint8)).save(out / "views" / f"{view:02d}-pair.png")
