"""Measures where MediaPipe's 468 points of a face lie in the generator's world: `python benchmarks/make_face_shape.py`.

They are read off pictures of drawn people, whose cameras are exact, and off their mirror images, and triangulated for all
people together: the mean face. Drawn people hold their chins further back than people do who look
straight ahead, by some degrees: the face is turned upright, its forehead above its chin, as EG3D's cameras
see it from the front. Needs the extra `train`; takes about five minutes.
"""

from __future__ import annotations

import argparse
import math

import torch
from networks import Heads
from safetensors.torch import save_file
from torch import Tensor

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import Camera
from inv3d.core.crops import Crops
from inv3d.core.networks.photographic import FOLDER
from inv3d.video.facing import mesh_in

SEED, PEOPLE, VIEWS = 1, 150, 3
YAW, PITCH = math.radians(40), math.radians(20)
SURE = 12.0  # logit of a face from which it is read well
ROUNDS, LOST = 4, 0.02  # points further off, in widths of the picture, count for little
FOREHEAD, CHIN = 10, 152
START = (0.5, 0.47, 0.6)  # where a face is in its crop: across, down, and its size


@torch.no_grad()
def seen(people: int) -> tuple[Camera, Tensor]:
    """Cameras [N] and the points [N,468,2] that they see, in widths of the picture from its middle."""
    bundle = load_bundle("demo")
    heads, random = Heads(bundle), torch.Generator().manual_seed(SEED)
    cameras, points = [], []
    x, y, size = START
    for _ in range(people):
        person = heads.random(1, random)
        for angles in torch.rand(VIEWS, 2, generator=random) * 2.0 - 1.0:
            camera = bundle.info.camera(YAW * angles[:1], PITCH * angles[1:])
            image, alpha = heads.draw(person, camera, 256)
            picture = (image * alpha)[0]
            for flipped in (False, True):
                shown = picture.flip(2) if flipped else picture
                start = Crops(torch.tensor([[x, y]]) * 256, torch.tensor([size]) * 256, torch.zeros(1))
                found, logit = mesh_in(shown, start, 3)
                if float(logit) > SURE:
                    cameras.append(camera.mirrored() if flipped else camera)
                    points.append(found[0, :, :2] / 256 - 0.5)
    joined = Camera(*(torch.cat([getattr(c, name) for c in cameras]) for name in ("cam2world", "intrinsics")))
    return joined, torch.stack(points)


def triangulated(cameras: Camera, points: Tensor) -> Tensor:
    """The points [468,3] in the world that are nearest to where all cameras see them."""
    world2cam = torch.linalg.inv(cameras.cam2world).double()
    focal, points = float(cameras.intrinsics[0, 0, 0]), points.double()
    weights = torch.ones_like(points[..., 0])
    for _ in range(ROUNDS):
        # for each coordinate: focal (r X + t) = u (f X + t_f)
        rows = focal * world2cam[:, None, :2, :3] - points[..., None] * world2cam[:, None, 2:3, :3]
        right = points * world2cam[:, None, 2, 3:] - focal * world2cam[:, None, :2, 3]
        weighted = rows * weights[..., None, None]
        matrix, vector = torch.einsum("npai,npaj->pij", weighted, rows), torch.einsum("npai,npa->pi", weighted, right)
        found = torch.linalg.solve(matrix, vector)
        local = torch.einsum("nij,pj->npi", world2cam[:, :3, :3], found) + world2cam[:, None, :3, 3]
        off = (focal * local[..., :2] / local[..., 2:] - points).norm(dim=-1)
        weights = 1.0 / (1.0 + (off / LOST) ** 2)
    return found


def upright(points: Tensor) -> tuple[Tensor, float]:
    """The points turned about the axis through the ears until the forehead is above the chin, and by how many radians."""
    _, y, z = (points[FOREHEAD] - points[CHIN]).tolist()
    angle = math.atan2(z, y)
    cos, sin = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]], dtype=points.dtype)
    return points @ turn.T, angle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    cameras, points = seen(parser.parse_args().people)
    shape, angle = upright(triangulated(cameras, points))
    save_file({"points": shape.float().contiguous()}, FOLDER / "shape.safetensors")
    print(f"{len(points)} pictures; turned upright by {math.degrees(angle):.1f} degrees; nose at {shape[1].tolist()}")


if __name__ == "__main__":
    main()
