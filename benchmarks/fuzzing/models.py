"""Damaged models and catalogues in `INV3D_HOME`: what `inv3d models list`, `info`, `verify` and `sample` read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from safetensors.torch import save_file
from torch import nn

from fuzzing.damage import Random, damaged_folder, damaged_json, damaged_safetensors
from inv3d import fetch
from inv3d.core import bundle, library
from inv3d.core.bundle import ALIGNER, CODES, WEIGHTS, Bundle, load_bundle, read_info
from inv3d.core.codes import CodeStatistics
from inv3d.core.generator import GeneratorConfig, TriplaneGenerator
from inv3d.core.generator.config import MappingConfig, RenderingConfig, SuperResolutionConfig
from inv3d.core.weights import Refuse, load_module

_SMALL = GeneratorConfig(
    z_dim=8, w_dim=8, plane_resolution=8, plane_channels=4, channel_base=32, channel_max=4, color_channels=4,
    raw_resolution=8, mapping=MappingConfig(), rendering=RenderingConfig(coarse_samples=4, fine_samples=4),
    superresolution=SuperResolutionConfig(channels=(4, 4), input_resolution=8),
)  # fmt: skip


class Kind:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.environ["INV3D_HOME"] = str(folder / "home")
        self.place = folder / "home" / "models" / "small"
        demo = load_bundle("demo")
        generator = TriplaneGenerator(_SMALL)
        info = demo.info.changed(name="small", generator=_SMALL, perceptual_outputs=None, source={"file": "x.pkl"})
        statistics = CodeStatistics(torch.zeros(8), torch.ones([]), torch.eye(8), torch.ones(8))
        sound: Bundle = replace(demo, info=info, generator=generator, statistics=statistics)
        sound.save(folder / "sound")
        for part in ("identity", "perceptual", "judge"):  # lent by the embedded model
            (folder / "sound" / f"{part}.safetensors").unlink()
        save_file(statistics.state(), folder / "sound" / "codes.safetensors")
        mock.patch.object(bundle, "load_module", self._load_module).start()
        self.lent: dict[str, nn.Module] = {}
        entry = {"name": "x", "address": "https://example.org/x.pkl", "license": "MIT", "size": 10, "focal": 4.0}
        (folder / "catalogue.json").write_text(json.dumps([entry, entry | {"name": "y", "sha256": "0" * 64}]))

    def make(self, random: Random) -> Path:
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.folder / "sound", self.place)
        entries = (self.folder / "catalogue.json").read_bytes()
        if random.random() < 0.25:
            entries = _json(random, entries)
        else:
            weights = dict.fromkeys((WEIGHTS, CODES, ALIGNER), damaged_safetensors)
            # most is read from the description
            damage = {"model.json": _json} if random.random() < 0.6 else {"model.json": _json, **weights}
            damaged_folder(random, self.place, damage)
        (self.folder / "home" / "catalogue.json").write_bytes(entries)
        return self.place

    def _load_module(self, make: Callable[[], nn.Module], path: Path, refuse: Refuse, device: str) -> nn.Module:
        """Networks that are sound are read once; the generator, whose configuration may be damaged, always."""
        sound = self.folder / "sound" / path.name
        damaged = path.parent == self.place and not (path.is_file() and path.read_bytes() == sound.read_bytes())
        if path.name == WEIGHTS or damaged:
            return load_module(make, path, refuse, device)
        if path.name not in self.lent:
            self.lent[path.name] = load_module(make, path, refuse, device)
        return self.lent[path.name]

    def read(self, path: Path) -> None:
        library.available()
        fetch.catalogue()
        info = read_info("small")
        info.model_dump_json()
        generator = load_bundle("small").generator
        code = generator.mapping(torch.zeros(1, info.generator.z_dim), info.front.vector())
        generator(code, info.front, 16)


def _json(random: Random, data: bytes) -> bytes:
    return damaged_json(random, json.loads(data))
