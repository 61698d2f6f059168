"""How good `inv3d models prepare` makes an imported model: `python benchmarks/prepare.py`.

The embedded generator is written as a checkpoint without its networks, imported as another model, and prepared from its
own renders alone. Its new aligner then looks for drawn people, whom the generator cannot fully reproduce, beside
the aligner that was trained on such people; and the main command runs with it. Goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from networks import SEED, Heads, aligner_report
from results import publish, table

from inv3d.core.bundle import ALIGNER, load_bundle
from inv3d.core.checkpoints.eg3d import Checkpoint, Layout
from inv3d.core.checkpoints.read import to_safetensors
from inv3d.core.device import choose_device
from inv3d.core.imports import Import, import_checkpoint
from inv3d.core.library import available, model_folder
from inv3d.core.training.prepare import Plan, prepare

NAME = "other"
CLIP = Path("samples/headturn.mp4")


def import_other(file: Path) -> None:
    """The embedded generator as a model that came from elsewhere."""
    demo = load_bundle("demo")
    layout = Layout(demo.info.generator, demo.info.radius, demo.info.pivot)
    file.write_bytes(to_safetensors(Checkpoint(layout, demo.generator.state_dict())))
    import_checkpoint(Import(file, NAME, focal=demo.info.focal, known_yaw=80.0))


def command(model: str, out: Path) -> dict[str, float]:
    """Figures on unused frames of the sample clip, inverted with `model`."""
    arguments = ["video", str(CLIP), "--views", "9", "--latents", "--model", model, "--out", str(out), "--force"]
    subprocess.run([sys.executable, "-m", "inv3d", *arguments], check=True, stdout=sys.stderr)
    means: dict[str, float] = json.loads((out / "metrics.json").read_text())["held_out"]
    return means


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/prepare"), help="Where the model is kept.")
    parser.add_argument("--scale", type=float, default=1.0, help="Factor on pictures and steps.")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ["INV3D_HOME"] = str(options.folder.resolve())
    if NAME not in available():
        import_other(options.folder / "other.safetensors")
    if not (model_folder(NAME) / ALIGNER).exists():
        prepare(NAME, Plan().scaled(options.scale), choose_device("auto").device, print)
    models = ("demo", NAME)
    heads = Heads(load_bundle("demo"))
    reports = {name: aligner_report(torch.Generator().manual_seed(SEED), load_bundle(name).aligner, heads) for name in models}
    rows: list[list[object]] = [
        [figure, *(f"{median:.1f} / {tail:.1f}" for median, tail in (reports[name][0][figure] for name in models))]
        for figure in reports["demo"][0]
    ]
    rows += [[figure, *(reports[name][2][figure] for name in models)] for figure in reports["demo"][2]]
    fits = {name: command(name, options.folder / f"head-{name}") for name in models}
    rows += [[f"{metric} on unused frames", *(fits[name][metric] for name in models)] for metric in fits["demo"]]
    text = (
        f"`inv3d models prepare` at scale {options.scale:g}; median / 95th percentile where there are two figures.\n\n"
    )
    text += table(["", "embedded aligner", "prepared aligner"], rows)
    publish("prepare", {"scale": options.scale, "rows": rows}, text)


if __name__ == "__main__":
    main()
