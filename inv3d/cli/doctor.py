"""`inv3d doctor`: the state of the installation and of the machine."""

from __future__ import annotations

from typing import Annotated

import typer

from inv3d.cli.options import Debug, Json


def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Skip the test render.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Check the installation and the machine, with a small render.

    Example: inv3d doctor
    """
    import importlib.metadata
    import math
    import os
    import platform
    import shutil
    import time
    from pathlib import Path

    import av

    import inv3d
    from inv3d.cli.terminal import document, teller
    from inv3d.core.bundle import load_bundle
    from inv3d.core.device import choose_device
    from inv3d.core.errors import ModelError
    from inv3d.core.faces import has_dlib
    from inv3d.core.helpers import OWN, best_perceptual
    from inv3d.core.library import available, home
    from inv3d.estimate import trial_render
    from inv3d.memory import free_memory

    tell = teller(as_json)
    system = f"{platform.system()} {platform.machine()}"
    tell(f"inv3d {inv3d.__version__}, Python {platform.python_version()}, {system}")
    packages: dict[str, str | None] = {}
    for package in ("torch", "av", "numpy", "scikit-image", "trimesh", "lpips"):
        try:
            packages[package] = importlib.metadata.version(package)
            tell(f"  {package} {packages[package]}")
        except importlib.metadata.PackageNotFoundError:
            packages[package] = None
            tell(f"  {package} is missing: pip install {package}")
    choice = choose_device()
    tell(
        f"device: {choice.device} ({choice.reason}); {os.cpu_count()} cores; {free_memory() / 1e9:.1f} GB of memory free"
    )
    free, writes = shutil.disk_usage(Path.cwd()).free, "libx264" in av.codecs_available
    tell(f"free disk space here: {free / 1e9:.1f} GB; H.264 encoder: {'available' if writes else 'missing'}")
    network, judge = best_perceptual(), has_dlib()
    loss = "the model's own network (LPIPS has no weights here)" if network == OWN else network
    recogniser = "available" if judge else "missing: pip install 'inv3d[photos]'"
    tell(f"perceptual loss: {loss}; face recogniser: {recogniser}")
    names = available()
    tell(f"models: {', '.join(names) or 'none'}; imported models are kept in {home()}")
    if "demo" not in names:
        raise ModelError("the embedded model 'demo' is missing", "reinstall inv3d")
    found = {
        "version": inv3d.__version__, "python": platform.python_version(), "system": system, "packages": packages,
        "device": str(choice.device), "free_memory": free_memory(), "free_disk": free, "h264": writes, "models": names,
        "home": str(home()), "networks": {"perceptual": network, "face_recogniser": judge},
    }  # fmt: skip
    if not quick:
        start = time.perf_counter()
        bundle = load_bundle("demo", choice.device)
        loaded = time.perf_counter() - start
        seconds = trial_render(bundle, choice.device)
        if math.isinf(seconds):
            raise ModelError("the embedded model 'demo' renders NaN or infinity", "reinstall inv3d and torch")
        tell(f"demo: loaded in {loaded:.1f} s, 64 px render in {seconds:.2f} s")
        found |= {"load_seconds": round(loaded, 2), "render_seconds": round(seconds, 3)}
    if as_json:
        document(found)
