"""Damaged unfinished runs, and damaged outputs that they are to replace: what `inv3d video --resume --force` reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from fuzzing.damage import Random, damaged_folder, damaged_json, damaged_safetensors, pick
from inv3d.video.decode import FailedFrame
from inv3d.video.track import HeadTrack, TrackedFrame
from inv3d.workspace import Workspace

JOB = {
    "sha256": "1" * 64,
    "views": 3,
    "latents": True,
    "model": "demo",
    "seed": 0,
    "settings": {"name": "fast", "rate": 0.1},
}
MINE = "mine.txt"


class Kind:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        random = torch.Generator().manual_seed(0)
        frames = tuple(TrackedFrame(i, i / 30, 100.5, 90.25, 64.0, 0.01, 0.1 * i, -0.05, 0.97) for i in range(12))
        self.track = HeadTrack(frames, (FailedFrame(12, 0.4, "no head found"),))
        self.stages = {
            "wplus": {"code": torch.randn(1, 10, 128, generator=random), "offsets": torch.zeros(3, 6)},
            "tuned": {f"layer{i}.weight": torch.randn(16, 8, generator=random) for i in range(6)}
            | {"step": torch.tensor(3)},
        }
        self._finished(folder / "sound" / "out")
        with Workspace(folder / "sound" / "out", [], True, False) as run:
            self._stages(run)

    def make(self, random: Random) -> Path:
        made = self.folder / "case"
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(self.folder / "sound", made)
        if random.random() < 0.25:
            damaged_folder(random, made / "out", {"run.json": self._json})
        elif random.random() < 0.3:
            (made / "out" / MINE).touch()
        elif random.random() < 0.5:
            shutil.rmtree(made / "out")
        damage = {"job.json": self._json, "stages/track.json": self._json}
        damage |= {f"stages/{name}.safetensors": damaged_safetensors for name in self.stages}
        if random.random() < 0.8:
            damaged_folder(random, made / "out.partial", damage)
        else:
            self._misplace(random, made / "out.partial")
        return made

    def read(self, path: Path) -> None:
        """Whatever is refused or made again: stages are those of this job, and no file of a person is lost."""
        mine = (path / "out" / MINE).exists()
        try:
            with Workspace(path / "out", [], True, True) as run:
                self._stages(run)
                self._write(run.output)
                run.finish()
        finally:
            assert not mine or (path / "out" / MINE).exists(), "a file of a person was lost"

    def _stages(self, run: Workspace) -> None:
        run.begin(JOB)
        assert run.value("track", HeadTrack, lambda: self.track) == self.track, "the track is another"
        for name, made in self.stages.items():
            kept = run.tensors(name, lambda made=made: made)  # type: ignore[misc]
            assert kept.keys() == made.keys() and all(torch.equal(kept[key], made[key]) for key in made), (
                "another stage"
            )

    def _finished(self, out: Path) -> None:
        out.mkdir(parents=True)
        self._write(out)

    @staticmethod
    def _write(out: Path) -> None:
        (out / "mesh.glb").touch()
        record = {"version": "1", "sha256": "1" * 64, "files": ["mesh.glb", "run.json"], "seed": 0}
        (out / "run.json").write_text(json.dumps(record))

    @staticmethod
    def _json(random: Random, data: bytes) -> bytes:
        return damaged_json(random, json.loads(data))

    @staticmethod
    def _misplace(random: Random, partial: Path) -> None:
        """Files and folders that are missing, of another kind, or somewhere else."""
        places: list[Any] = [
            "job.json",
            "lock",
            "stages",
            "output",
            "replaced",
            "stages/track.json",
            "stages/tuned.safetensors",
            MINE,
        ]
        for _ in range(int(random.integers(1, 3))):
            path = partial / pick(random, places)
            if not path.parent.is_dir():
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            match int(random.integers(5)):
                case 0:
                    path.mkdir()
                case 1:
                    path.symlink_to(pick(random, ["nowhere", path.name, "../out", "job.json"]))
                case 2:
                    path.write_bytes(random.bytes(int(random.integers(100))))
                case 3:
                    path.mkdir()
                    (path / MINE).touch()
