"""What E3DGE's local branch learns from: pictures, beside renders of the codes that its global encoder reads in them.

The global encoder is finished by then, so that its renders are made once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.camera import Camera
from inv3d.core.encoders.e3dge import E3dge
from inv3d.core.encoders.local import resized
from inv3d.core.matting import room_colour
from inv3d.core.training import dataset
from inv3d.core.training.sometimes import Sometimes
from inv3d.core.views import from_bytes, to_bytes

KIND = "residuals"
_ROWS = 50  # in a shard
_DEPTH_SIDE = 64
_SAME = 0.02
"""Largest difference of codes that another device may make."""


@dataclass(frozen=True)
class Residuals:
    """N pairs of pictures `images` [N,2,3,R,R] as bytes: the one that is encoded, and one of the same head from another
    side, or the same picture again. The `codes` [N,num_ws,w_dim] are those of the first, as are the `renders`
    [N,2,3,r,r] as bytes and their `depth` [N,2,1,d,d], from the `angles` [N,2,2], yaw and pitch in radians: those that the
    encoder reads in the first picture, and those of the second."""

    images: Tensor
    renders: Tensor
    depth: Tensor
    angles: Tensor
    codes: Tensor

    def __len__(self) -> int:
        return len(self.codes)

    @staticmethod
    def load(folder: Path) -> Residuals:
        """All pairs in `folder`."""
        loaded = [load_file(path) for path in dataset.shards(folder, KIND)]
        return Residuals(**{name: torch.cat([shard[name] for shard in loaded]) for name in loaded[0]})

    def cameras(self, bundle: Bundle, rows: Tensor, view: Tensor) -> Camera:
        """The cameras of one picture `view` [B] of each of the `rows` [B]."""
        return bundle.info.camera(*self.angles[rows, view].unbind(-1))


def draw_residuals(
    bundle: Bundle,
    encoder: E3dge,
    inside: Mapping[str, Tensor],
    outside: Mapping[str, Tensor] | None,
    counts: tuple[int, int],
    folder: Path,
    report: Callable[[str], None],
) -> None:
    """Write the shards that `folder` lacks or has from another encoder, of at most `counts` heads of the generator's own pictures `inside`, which are
    seen twice, and of pictures `outside` of its domain, which are seen once."""
    rows = [(inside, head) for head in range(min(counts[0], len(inside["image"])))]
    if outside is not None:
        rows += [(outside, head) for head in range(min(counts[1], len(outside["image"])))]
    at_times = Sometimes(report)
    device = bundle.generator.device
    for index in range(math.ceil(len(rows) / _ROWS)):
        path = folder / f"{KIND}-{index:04d}.safetensors"
        if path.exists() and _made_by(encoder, path, device):
            continue
        made = []
        for source, head in rows[index * _ROWS : (index + 1) * _ROWS]:
            made.append(_pair(bundle, encoder, *_pictures(source, head), device))
            at_times(f"{KIND} {index * _ROWS + len(made)}/{len(rows)}")
        dataset.write_shard(path, {name: torch.stack([each[name] for each in made]) for name in made[0]})


@torch.no_grad()
def _made_by(encoder: E3dge, path: Path, device: torch.device) -> bool:
    """Whether a shard has the codes that the encoder reads in its pictures."""
    shard = load_file(path)
    codes = encoder(from_bytes(shard["images"][:1, 0]).to(device)).codes
    return torch.allclose(codes.cpu(), shard["codes"][:1], atol=_SAME)


def _pictures(source: Mapping[str, Tensor], head: int) -> tuple[Tensor, Tensor]:
    """One or two pictures [V,3,R,R] of a head, without the room behind it, and their yaws and pitches [V,2].

    Pictures of drawn heads show another expression each: they are no views of one head.
    """
    same = "expression" not in source and len(source["image"][head]) > 1
    views = slice(2) if same else slice(1)
    images = from_bytes(source["image"][head, views])
    if not same and "alpha" in source:
        matte = source["alpha"][head, views].float() / 255.0
        images = images * matte + (1.0 - matte) * room_colour(images, matte)[:, None, None]
    return images, torch.stack([source["yaw"][head, views], source["pitch"][head, views]], -1)


@torch.no_grad()
def _pair(bundle: Bundle, encoder: E3dge, images: Tensor, angles: Tensor, device: torch.device) -> dict[str, Tensor]:
    generator = bundle.generator
    found = encoder(images[:1].to(device))
    angles = torch.cat([found.pose.cpu(), angles[1:]])
    scene = generator.scene(found.codes)
    cameras = bundle.info.camera(*angles.unbind(-1)).to(device)
    renders = [encoder.local.drawn(generator, scene, cameras[i]) for i in range(len(cameras))]
    pair = {
        "images": to_bytes(images),
        "renders": torch.cat([to_bytes(render.image.cpu()) for render in renders]),
        "depth": torch.cat([resized(render.depth, _DEPTH_SIDE).cpu().half() for render in renders]),
        "angles": angles,
    }
    twice = {name: tensor[[0, len(images) - 1]] for name, tensor in pair.items()}
    return {**twice, "codes": found.codes[0].cpu()}


def shards_of(folder: Path, kind: str) -> dict[str, Tensor] | None:
    """The pictures of a `kind` in `folder`, if there are any."""
    return dataset.load_images(folder, kind) if dataset.shards(folder, kind) else None
