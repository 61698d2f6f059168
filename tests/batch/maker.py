"""Stands in for the command line in tests of batches: makes a folder that looks like a head, whole or not at all.

Waits as long as the environment says, and leaves a note meanwhile in the folder that it names, if it names one; a clip that
contains "bad" cannot be used.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path


def watch() -> None:
    while os.read(0, 1 << 10):
        pass
    os._exit(130)


def main() -> None:
    threading.Thread(target=watch, daemon=True).start()
    arguments = sys.argv[1:]
    clip, out = Path(arguments[1]), Path(arguments[arguments.index("--out") + 1])
    print("[   0.1 s] W+ 1/2 pixel 0.1", flush=True)
    notes = os.environ.get("MAKER_NOTES")
    note = Path(notes, str(os.getpid())) if notes else None
    if note:
        note.touch()
    time.sleep(float(os.environ.get("MAKER_SECONDS", "0")))
    if note:
        note.unlink()
    if "bad" in clip.read_text():
        print(f"error: {clip} shows no head\nhint: film one", flush=True)
        sys.exit(3)
    if out.exists():
        print(f"error: {out} exists already\nhint: use --force", flush=True)
        sys.exit(2)
    part = out.with_name(f"{out.name}.{os.getpid()}")
    part.mkdir()
    (part / "run.json").write_text(json.dumps({"threads": os.environ["OMP_NUM_THREADS"]}))
    part.rename(out)
    print("processor time: 1.5 s", flush=True)


main()
