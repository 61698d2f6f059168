"""Tables 3 and 4 of *E3DGE*, and encoders that learned as long as each other: `python benchmarks/e3dge_ablation.py --scale 0.125`.

The first table compares encoders of codes that begin at random and learn equally many steps: like pSp and e4e, PREIM3D's, and
E3DGE's from pictures alone, with known codes, and with known geometry. The second adds local features to the codes of the
model's own encoder, equally long, too: without and with training from other views, aligned by E_ADA (2D), by projection (3D)
and by both (hybrid); then what the hybrid loses without the other ingredients. Passes of the model's own encoders, which
learned far longer, stand beside them. People and figures are those of `e3dge.py`. The third table compares the encoders of
codes on the generator's own heads, what they learned from: four people are too few to tell shapes apart. Encoders that --folder lacks are trained first,
each from where it stopped; figures that are there are not made again. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import functools
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from e3dge import Row, of_person
from e4e import e4e_trainer
from inverting import CPU
from own_heads import HEADS, beside, depth_errors
from results import Means, kept, means_of, publish, table, table_of
from threedinv import SEEDS

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.encoders.e3dge import E3dge
from inv3d.core.encoders.inverter import E3dgeInverter, EncoderInverter, Inverter
from inv3d.core.encoders.kinds import E3DGE, INGREDIENTS, PREIM3D
from inv3d.core.encoders.local import LocalBranch
from inv3d.core.encoders.pyramid import Encoder
from inv3d.core.encoders.store import load_e3dge, load_encoder
from inv3d.core.training import dataset, encoders
from inv3d.core.training.averaged import AveragedTraining, Network
from inv3d.core.training.e3dge import GlobalTrainer
from inv3d.core.training.e3dge_local import LocalTrainer
from inv3d.core.training.e3dge_recipe import config_for, global_recipe, local_recipe, make_encoder, make_global_trainer
from inv3d.core.training.outside import OUTSIDE, OUTSIDE_SHARDS, draw_heads
from inv3d.core.training.residuals import Residuals, draw_residuals, shards_of
from inv3d.core.training.source import PEOPLE

GEOMETRY, CODE = "geometry", "code"
GLOBAL = {
    "E3DGE, pictures alone": frozenset({GEOMETRY, CODE}),
    "E3DGE, + codes": frozenset({GEOMETRY}),
    "E3DGE, + geometry": frozenset[str](),
}
"""Losses that E3DGE's global encoder does without."""
NOVEL, ALIGNMENT, PROJECTION = "novel-views", "alignment", "projection"
LOCAL = {
    "+ local features": frozenset({ALIGNMENT, NOVEL}),
    "+ 2D alignment": frozenset({PROJECTION}),
    "+ 3D alignment": frozenset({ALIGNMENT}),
    "hybrid alignment": frozenset[str](),
    "hybrid without novel views": frozenset({NOVEL}),
    "hybrid without the adversarial term": frozenset({"adversarial"}),
}
"""Ingredients that the local branch does without (`inv3d train encoder --without`)."""
FEW = 100
"""Heads of each domain that local branches learn from at least, however few the steps."""
OWN_PREIM3D, OWN_CODES, OWN = "PREIM3D of the model", "E3DGE of the model, codes alone", "E3DGE of the model"


@dataclass(frozen=True)
class Claim:
    """What the paper's table says: in a `column`, one row is better than another."""

    text: str
    column: str
    better: str
    worse: str

    def checked(self, rows: Means) -> list[str]:
        """The claim, and whether it comes out."""
        a, b = (rows[name][self.column] for name in (self.better, self.worse))
        holds = a > b if self.column.startswith(("SSIM", "ID")) else a < b
        return [self.text, self.column, f"{'yes' if holds else 'no'} ({a:.3g}, {b:.3g})"]


_PICTURES, _CODES, _GEOMETRY = GLOBAL
_SEEN, _2D, _3D, _HYBRID, _NO_NOVEL, _NO_ADVERSARY = LOCAL
CLAIMS = (
    Claim("known codes and geometry bring the surface nearer than pictures alone (Table 4)", "median mm", _GEOMETRY, _PICTURES),
    Claim("known geometry does, beside known codes", "median mm", _GEOMETRY, _CODES),
    Claim("the generator's own heads show the first", "depth error", _GEOMETRY, _PICTURES),
    Claim("and the second", "depth error", _GEOMETRY, _CODES),
    Claim("the surface is nearer than that of pSp", "median mm", _GEOMETRY, "pSp-like"),
    Claim("and than that of e4e", "median mm", _GEOMETRY, "e4e-like"),
    Claim("local features bring the render nearer to the photo (Table 3)", "LPIPS", _SEEN, OWN_CODES),
    Claim("and keep identity", "ID", _SEEN, OWN_CODES),
    Claim("but without training from other views they are worse there than codes alone", "LPIPS aside", OWN_CODES, _SEEN),
    Claim("and keep identity less", "ID aside", OWN_CODES, _SEEN),
    Claim("2D alignment is better from there", "LPIPS aside", _2D, _SEEN),
    Claim("3D alignment is better from there", "LPIPS aside", _3D, _SEEN),
    Claim("3D alignment has the smaller error from there than 2D", "MAE aside", _3D, _2D),
    Claim("2D alignment keeps identity there better than 3D", "ID aside", _2D, _3D),
    Claim("hybrid alignment has the smaller error there than 3D", "MAE aside", _HYBRID, _3D),
    Claim("and keeps identity there better than 2D", "ID aside", _HYBRID, _2D),
    Claim("without alignment and training from other views, the photo itself is met best", "LPIPS", _SEEN, _HYBRID),
    Claim("training from other views helps the hybrid there", "LPIPS aside", _HYBRID, _NO_NOVEL),
    Claim("the adversarial term helps it there", "LPIPS aside", _HYBRID, _NO_ADVERSARY),
)
"""Of its sections 7.2 and 7.4."""


def finished(name: str, trainer: AveragedTraining[Network], folder: Path) -> Network:
    """The average of a training, which is continued to its end."""
    for _ in trainer.run(folder / f"{slug(name)}.pt", functools.partial(print, name, file=sys.stderr, flush=True)):
        pass
    return trainer.average


def slug(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")


def global_trainer(bundle: Bundle, folder: Path, scale: float, without: frozenset[str]) -> GlobalTrainer:
    """E3DGE's global encoder without some of the losses."""
    recipe = global_recipe(bundle, scale, without)
    recipe = replace(recipe, code=0.0) if CODE in without else recipe
    return make_global_trainer(bundle, make_encoder(bundle, recipe), recipe, folder, CPU)


def local_trainer(bundle: Bundle, residuals: Residuals, scale: float, without: frozenset[str]) -> LocalTrainer:
    """A local branch without some of the ingredients."""
    recipe = local_recipe(bundle, scale, without)
    torch.manual_seed(recipe.seed)
    branch = LocalBranch(config_for(bundle, without).local)
    return LocalTrainer(bundle, branch, recipe, residuals, CPU)


def global_inverters(bundle: Bundle, folder: Path, scale: float) -> dict[str, Inverter]:
    """The encoders of the first table by their names, trained on pictures in `folder`."""
    recipe = encoders.recipe_for(bundle).scaled(scale)
    report = functools.partial(print, file=sys.stderr, flush=True)
    encoders.draw_inside(bundle, recipe, folder, report)
    draw_heads(PEOPLE, folder, math.ceil(OUTSIDE_SHARDS * scale), report)
    plain = encoders.without(recipe, INGREDIENTS[PREIM3D])
    trainers: dict[str, Callable[[], AveragedTraining[Encoder]]] = {
        "pSp-like": lambda: encoders.make_trainer(bundle, plain, folder, CPU),
        "e4e-like": lambda: e4e_trainer(bundle, plain, folder, CPU),
        "PREIM3D": lambda: encoders.make_trainer(bundle, recipe, folder, CPU),
    }
    found: dict[str, Inverter] = {
        name: EncoderInverter(finished(name, make(), folder)) for name, make in trainers.items()
    }
    for name, without in GLOBAL.items():
        found[name] = E3dgeInverter(finished(name, global_trainer(bundle, folder, scale, without), folder))
    return found


def local_inverters(bundle: Bundle, folder: Path, scale: float) -> dict[str, Inverter]:
    """The encoders of the second table by their names: the model's own with other local branches."""
    recipe, encoder = local_recipe(bundle, scale, frozenset()), load_e3dge(bundle.name)
    counts = max(FEW, recipe.inside), max(FEW, recipe.outside)
    pictures = dataset.load_images(folder, encoders.recipe_for(bundle).samples.kind), shards_of(folder, OUTSIDE)
    draw_residuals(bundle, encoder, *pictures, counts, folder, functools.partial(print, file=sys.stderr, flush=True))
    residuals = Residuals.load(folder)

    def with_branch(branch: LocalBranch) -> E3dge:
        own = load_e3dge(bundle.name)
        own.local = branch
        return own

    branches = {
        name: finished(name, local_trainer(bundle, residuals, scale, without), folder) for name, without in LOCAL.items()
    }
    return {name: E3dgeInverter(with_branch(branch)) for name, branch in branches.items()}


def tables(of_codes: Mapping[str, Inverter], of_detail: Mapping[str, Inverter]) -> dict[str, list[Row]]:
    """The rows of both tables."""
    return {
        "Codes": [
            *(Row(name, name, detail=False) for name in of_codes),
            Row(OWN_PREIM3D, PREIM3D),
            Row(OWN_CODES, E3DGE, detail=False),
        ],
        "Local features": [
            Row(OWN_CODES, E3DGE, detail=False),
            *(Row(name, name) for name in of_detail),
            Row(OWN, E3DGE),
        ],
    }


def on_own_heads(inverters: Mapping[str, Inverter], bundle: Bundle, folder: Path) -> Means:
    """Depths of the generator's own heads in the rows of the first table, beside those with known geometry."""

    def measured(inverter: Inverter) -> dict[str, list[float]]:
        return {"errors": depth_errors(inverter, bundle)}

    found = {
        name: kept(folder / f"own-{slug(name)}.json", functools.partial(measured, inverter))["errors"]
        for name, inverter in inverters.items()
    }
    return beside(_GEOMETRY, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/e3dge-ablation"), help="Where encoders and figures are kept.")
    parser.add_argument("--count", type=int, default=len(SEEDS), help="How many people.")
    parser.add_argument("--scale", type=float, default=1.0, help="Factor on the steps and pictures of the training.")
    options = parser.parse_args()
    bundle, folder = load_bundle("demo"), options.folder
    of_codes = global_inverters(bundle, folder, options.scale)
    of_detail = local_inverters(bundle, folder, options.scale)
    people = {str(seed): seed for seed in SEEDS[: options.count]}
    measure = functools.partial(of_person, bundle=bundle, inverters={**of_codes, **of_detail})
    rows = tables(of_codes, of_detail)
    groups = {title: means_of(people, each, measure, folder / "figures") for title, each in rows.items()}
    models: dict[str, Inverter] = {
        OWN_PREIM3D: EncoderInverter(load_encoder("demo", PREIM3D)),
        OWN_CODES: E3dgeInverter(load_e3dge("demo")),
    }
    groups[f"{HEADS} heads of the generator's own"] = on_own_heads({**of_codes, **models}, bundle, folder / "figures")
    steps = [recipe(bundle, options.scale, frozenset()).steps for recipe in (global_recipe, local_recipe)]
    head = (
        f"Means of {len(people)} drawn people. Encoders of codes learned {steps[0]} steps from random weights, local branches "
        f"{steps[1]} on the codes of the model's own encoder (scale {options.scale:g})."
    )
    every: Means = {}
    for found in groups.values():
        for name, figures in found.items():
            every[name] = every.get(name, {}) | figures
    claims = table(["The paper's claims", "", "comes out"], [claim.checked(every) for claim in CLAIMS])
    parts = [head, *(table_of(title, found) for title, found in groups.items()), claims]
    publish("e3dge_ablation", {"steps": steps, **groups}, "\n\n".join(parts))


if __name__ == "__main__":
    main()
