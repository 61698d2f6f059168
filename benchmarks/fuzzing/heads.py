"""Damaged heads: what `inv3d render` and `inv3d export` read."""

from __future__ import annotations

import copy
import functools
import json
import shutil
from pathlib import Path
from unittest import mock

import torch

from fuzzing.damage import Random, damaged_folder, damaged_json, damaged_safetensors
from inv3d.core import head
from inv3d.core.bundle import load_bundle
from inv3d.core.head import Head
from inv3d.core.headfile import load_head, save_head
from inv3d.core.latents import LatentTrack
from inv3d.core.views import Views


class Kind:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # models are another kind: here one is loaded once
        mock.patch.object(head, "load_bundle", functools.cache(load_bundle)).start()
        demo = load_bundle("demo")
        random = torch.Generator().manual_seed(0)
        codes = demo.generator.mapping(torch.randn(3, demo.info.generator.z_dim, generator=random))
        generator = copy.deepcopy(demo.generator)
        generator.get_parameter("decoder.net.0.bias").data += 0.01
        sound = Head(generator, LatentTrack(codes, torch.tensor([-0.8, 0.0, 0.9])), demo, (-0.8, 0.9))
        views = Views(torch.zeros(3, 3, 32, 32), sound.camera(sound.track.yaws, torch.zeros(3)), (0, 1, 2), (0.0, 0.1, 0.2))
        save_head(sound.showing(views), folder / "sound")

    def make(self, random: Random) -> Path:
        made = self.folder / "head"
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(self.folder / "sound", made)
        damaged_folder(
            random,
            made,
            {
                "head.json": self._json,
                "codes.safetensors": damaged_safetensors,
                "frames.safetensors": damaged_safetensors,
                "weights.safetensors": damaged_safetensors,
            },
        )
        return made

    def read(self, path: Path) -> None:
        loaded = load_head(path)
        loaded.render(loaded.camera(torch.tensor([0.2]), torch.zeros(1)), 16)

    @staticmethod
    def _json(random: Random, data: bytes) -> bytes:
        return damaged_json(random, json.loads(data))
