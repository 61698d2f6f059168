"""`inv3d doctor`: what this machine offers and whether everything works."""

from __future__ import annotations

from typing import Annotated

import typer

from inv3d.cli.options import Debug


def doctor(
    debug: Debug = False,
    quick: Annotated[bool, typer.Option("--quick", help="Versions only, no test render.")] = False,
) -> None:
    """Check versions, devices, codecs and the embedded model with a small render."""
    import importlib.metadata
    import math
    import os
    import platform
    import shutil
    import time
    from pathlib import Path

    import av

    import inv3d
    from inv3d.core.bundle import load_bundle
    from inv3d.core.device import choose_device
    from inv3d.core.errors import ModelError
    from inv3d.core.library import available, home
    from inv3d.pipeline import trial_render

    typer.echo(
        f"inv3d {inv3d.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
    for package in ("torch", "av", "numpy", "scikit-image", "trimesh", "lpips"):
        try:
            typer.echo(f"  {package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            typer.echo(f"  {package} is missing: pip install {package}")
    choice = choose_device()
    typer.echo(f"device: {choice.device} ({choice.reason}); {os.cpu_count()} cores")
    free = shutil.disk_usage(Path.cwd()).free
    typer.echo(
        f"free disk here: {free / 1e9:.1f} GB; H.264 writing: {'yes' if 'libx264' in av.codecs_available else 'no'}"
    )
    names = available()
    typer.echo(f"models: {', '.join(names) or 'none'}; imported ones lie in {home()}")
    if "demo" not in names:
        raise ModelError("the embedded model 'demo' is missing", "install inv3d again")
    if not quick:
        start = time.perf_counter()
        bundle = load_bundle("demo", choice.device)
        loaded = time.perf_counter() - start
        seconds = trial_render(bundle, choice.device)
        state = "BROKEN" if math.isinf(seconds) else f"64 px render in {seconds:.2f} s"
        typer.echo(f"demo: loaded in {loaded:.1f} s, {state}")
