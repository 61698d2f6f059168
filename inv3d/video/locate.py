"""Finding heads in a frame: a coarse grid of crops, scored and corrected by the aligner."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inv3d.core.crops import Crops, cut, joined, out_of, within
from inv3d.core.networks.aligner import INPUT_SIZE, Aligner, Alignment
from inv3d.core.networks.selfie import PERSON_INPUT
from inv3d.video.alone import alone
from inv3d.video.detect import FACE, Faces
from inv3d.video.facing import Facing

CONFIDENT = 0.5
"""Confidence from which a crop counts as showing a head."""
_SIZES = (0.30, 0.52, 0.90, 1.55)  # of the frame's height: a crop is about twice as high as the head in it
_STRIDE = 0.4
_REFINED = 8
_ITERATIONS = 3
_GUESSES = 2
_SURE = 1.7  # logit above which a head with little roll is certainly upright
_ROLLED = math.radians(40)
_LIKELIER = 0.1  # higher logit of heads that are upright in the picture, as most are
_CONFIDENT_TURNED = 0.88  # higher, because three more turns mean three more chances of a false positive
_SAME_HEAD = 0.45  # of the larger crop's size: heads nearer than this are one
_FACES_VARY = 2.0  # by which the logits of faces and of what resembles one differ
_CERTAIN, _FACES_COUNT = 8.0, 4.0  # logit above `FACE` of a face that tells all it can, and what it counts beside an aligner
_HARDLY, _SURELY = 0.4, 0.7  # the aligner's confidence of a crop that faces mend, and of one that they leave alone
_UNDOUBTED, _FRONTAL, _NOTHING = 0.85, math.radians(40), 9.0  # logits below `FACE` of what does not resemble one
_AROUND = ((0.0, 0.0, 1.0), (0.03, 0.02, 1.05), (-0.03, 0.02, 0.96), (0.02, -0.03, 0.95), (-0.02, -0.03, 1.06))
"""Shifts (in crop sizes) and scales of the crops that are read last."""


@dataclass(frozen=True)
class Told:
    """What the faces of B heads tell, and the `weight` [B] of that beside the aligner's reading, from 0 to 1."""

    face: Facing
    weight: Tensor


@dataclass(frozen=True)
class Located:
    """Heads in one frame, best first: corrected `crops`, the aligner's final reading, the confidence of that and of what their
    faces tell, and this, once it has been looked at."""

    crops: Crops
    alignment: Alignment
    confidence: Tensor
    told: Told | None = None

    @property
    def surely_faces(self) -> bool:
        """Whether every head's face tells all it can."""
        return self.told is not None and bool((self.told.face.logit >= FACE + _CERTAIN).all())

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, rows: slice | list[int] | Tensor) -> Located:
        return Located(self.crops[rows], self.alignment.map(lambda field: field[rows]), self.confidence[rows])

    def joined(self, other: Located) -> Located:
        """These heads and then those of `other`."""
        alignments = zip(self.alignment.fields, other.alignment.fields, strict=True)
        alignment = Alignment(*(torch.cat(pair) for pair in alignments))
        return Located(joined(self.crops, other.crops), alignment, torch.cat([self.confidence, other.confidence]))

    def with_crops(self, crops: Crops) -> Located:
        return replace(self, crops=crops)

    def surer(self, confidence: Tensor) -> Located:
        """The same with at least this confidence [B]."""
        return replace(self, confidence=torch.maximum(self.confidence, confidence))


def _grid(height: int, width: int) -> Crops:
    """Overlapping square crops of several sizes that cover the frame."""
    centers, sizes = [], []
    for share in _SIZES:
        size = share * height
        columns, rows = (max(1, round((extent - 0.5 * size) / (_STRIDE * size))) for extent in (width, height))
        for y in torch.linspace(0.3 * size, height - 0.3 * size, rows) if rows > 1 else torch.tensor([height / 2]):
            for x in (
                torch.linspace(0.3 * size, width - 0.3 * size, columns) if columns > 1 else torch.tensor([width / 2])
            ):
                centers.append([float(x), float(y)])
                sizes.append(size)
    return Crops(torch.tensor(centers), torch.tensor(sizes), torch.zeros(len(sizes)))


def _read(aligner: Aligner, image: Tensor, crops: Crops) -> Alignment:
    """The aligner's reading of crops of `image`, on the CPU."""
    out: Alignment = aligner(cut(image, crops, INPUT_SIZE).to(next(aligner.parameters()).device))
    return out.map(Tensor.cpu)


def _read_both_ways(aligner: Aligner, image: Tensor, crops: Crops) -> Alignment:
    """The mean of the readings of crops of `image` and of their mirror images, which errs to neither side."""
    seen = cut(image, crops, INPUT_SIZE)
    out: Alignment = aligner(torch.cat([seen, seen.flip(3)]).to(next(aligner.parameters()).device))
    count = len(crops)
    own, mirrored = out.map(lambda field: field[:count]), out.map(lambda field: field[count:]).mirrored()
    return Alignment(*(0.5 * (a + b).cpu() for a, b in zip(own.fields, mirrored.fields, strict=True)))


@torch.no_grad()
def align(aligner: Aligner, image: Tensor, crops: Crops, iterations: int = _ITERATIONS) -> Located:
    """Let the aligner correct `crops` of `image` [3,H,W] in [-1,1] several times, then read the pose.

    The final reading is the mean over slightly different crops and their mirror images, which is steadier than a single one.
    """
    for _ in range(iterations):
        crops = _read(aligner, image, crops).apply(crops)
        # a wild correction must not move a crop out of the frame or shrink it to nothing
        crops = Crops(crops.center, crops.size.clamp(INPUT_SIZE / 4, 4.0 * max(image.shape[-2:])), crops.roll)
    count = len(crops)
    offsets = torch.tensor(_AROUND).repeat_interleave(count, 0)
    size = crops.size.repeat(len(_AROUND))
    around = Crops(
        crops.center.repeat(len(_AROUND), 1) + offsets[:, :2] * size[:, None],
        size * offsets[:, 2],
        crops.roll.repeat(len(_AROUND)),
    )
    out = _read_both_ways(aligner, image, around)
    mended = out.apply(around)

    def mean(values: Tensor) -> Tensor:
        return values.unflatten(0, (len(_AROUND), count)).mean(0)

    crops = Crops(mean(mended.center), mean(mended.size.log()).exp(), mean(mended.roll))
    out = out.map(mean)
    return Located(crops, out, out.confidence)


@torch.no_grad()
def search(aligner: Aligner, image: Tensor, confident: float = CONFIDENT, faces: Faces | None = None) -> Located:
    """All heads of a frame [3,H,W] in [-1,1] above a confidence, best first; empty if there are none.

    Crops around `faces` are tried in addition to the grid, and count as heads where these tell enough. A head that lies on its
    side or upside down is found if anything was seen in its place; its crop is rolled so that the head is upright in it.
    """
    crops, told = _grid(*image.shape[-2:]), None
    if faces is not None:
        proposed, told = faces.proposed(image)
        crops = joined(crops, proposed)
    parts = [crops[rows.tolist()] for rows in torch.arange(len(crops)).split(32)]
    scores = torch.cat([_read(aligner, image, part).confidence for part in parts])
    best = scores.topk(min(_REFINED, len(crops))).indices
    found = _apart(align(aligner, image, crops[best]), image)
    sure = int((found.confidence >= confident).sum())
    # if nothing is convincing, the best guesses may be rotated heads
    found = _upright(aligner, image, found[: sure or _GUESSES])
    found = _apart(found, image)
    found = found[(found.confidence >= confident) & _as_mirrored(aligner, image, found, confident)]
    if faces is not None:
        found = found[~_faceless(image, found, faces)]
    if told is None:
        return found
    told = told[_confidence(told) >= confident]
    same = _overlaps(told.crops, found.crops)
    askew = same & ((told.crops.roll[:, None] - found.crops.roll).cos() < math.cos(_ROLLED))  # faces know what is up
    found, told = found[~askew.any(0)], told[~(same & ~askew).any(1)]
    return found if not len(told) else _apart(found.joined(_read_there(aligner, image, told)), image)


def align_near(aligner: Aligner, image: Tensor, crops: Crops, faces: Faces | None) -> Located:
    """The head of a person near the place of `crops` [1], read without the room, unless the aligner is surer with it; that of a
    thing, which has no `faces`, with the room."""
    person = None if faces is None else alone(image, crops)
    if person is None:
        return align(aligner, image, crops, 2)
    picture, around = person
    seen = align(aligner, picture, within(crops, around, PERSON_INPUT), 2)
    seen = seen.with_crops(out_of(seen.crops, around, PERSON_INPUT))
    if float(seen.confidence) >= CONFIDENT:
        return seen
    with_room = align(aligner, image, crops, 2)
    return with_room if float(with_room.confidence) > float(seen.confidence) else seen


def _confidence(told: Facing) -> Tensor:
    """How sure [B] it is that there are heads, by their faces."""
    return torch.sigmoid((told.logit - FACE) / _FACES_VARY)


def _overlaps(crops: Crops, others: Crops) -> Tensor:
    """Which crops [B] show the same head as which of the `others` [C], [B,C]."""
    far = (crops.center[:, None] - others.center).norm(dim=2)
    return far <= _SAME_HEAD * torch.maximum(crops.size[:, None], others.size)


def _read_there(aligner: Aligner, image: Tensor, told: Facing) -> Located:
    """The heads whose faces are `told`: the aligner, which would not have found them, says no more than how unsure it is."""
    read = align(aligner, image, told.crops, iterations=0)
    turned = replace(read.alignment, yaw=told.yaw, pitch=told.pitch)
    return replace(read, crops=told.crops, alignment=turned).surer(_confidence(told))


@torch.no_grad()
def settled(image: Tensor, located: Located, faces: Faces | None) -> Located:
    """The heads located in an `image` [3,H,W] and what their `faces` tell, by which those crops are mended of which the aligner
    is unsure."""
    read = located.alignment
    seen = None if faces is None or not len(located) else faces.told(image, located.crops, read.yaw, read.pitch)
    if seen is None:
        return located
    certain = ((seen.logit - FACE) / _CERTAIN).clamp(0.0, 1.0)
    doubt = ((_SURELY - read.confidence) / (_SURELY - _HARDLY)).clamp(0.0, 1.0)
    mended = located.with_crops(_between(located.crops, seen.crops, certain * doubt)).surer(_confidence(seen))
    weight = _FACES_COUNT * certain.square()
    return replace(mended, told=Told(seen, weight / (weight + read.confidence.square())))


def _between(crops: Crops, others: Crops, share: Tensor) -> Crops:
    """Crops between two, by the share [B] of the second."""
    turn = torch.remainder(others.roll - crops.roll + math.pi, 2.0 * math.pi) - math.pi
    size = torch.lerp(crops.size.log(), others.size.log(), share).exp()
    return Crops(torch.lerp(crops.center, others.center, share[:, None]), size, crops.roll + share * turn)


def search_turned(aligner: Aligner, image: Tensor, faces: Faces | None = None) -> Located:
    """All heads of a frame in which `search` finds none: the frame is searched rotated by 90, 180 and 270 degrees."""
    found = [
        search(aligner, image.rot90(quarters, (1, 2)).contiguous(), _CONFIDENT_TURNED, faces) for quarters in (1, 2, 3)
    ]
    best = max(range(3), key=lambda i: float(found[i].confidence.max()) if len(found[i]) else 0.0)
    return found[best].with_crops(_turned_back(found[best].crops, best + 1, *image.shape[-2:]))


def _turned_back(crops: Crops, quarters: int, height: int, width: int) -> Crops:
    """Crops of a frame that was turned anticlockwise by so many quarters, in the frame [height,width] itself."""
    x, y = crops.center.unbind(1)
    center = {1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[quarters]
    return Crops(torch.stack(center, 1), crops.size, _wrapped(crops.roll + quarters * math.pi / 2))


def _wrapped(roll: Tensor) -> Tensor:
    """Angles wrapped to -135 to 225 degrees: multiples of 90 degrees are far from the seam."""
    return (roll + 0.75 * math.pi) % (2.0 * math.pi) - 0.75 * math.pi


def _upright(aligner: Aligner, image: Tensor, found: Located) -> Located:
    """Align every head that may not be upright in its crop again from all four turns; the best one is kept.

    The turns are compared with each other, not with what was found: the best of many crops has a higher confidence by chance.
    """
    doubtful = (found.alignment.logit < _SURE) | (found.crops.roll.abs() > _ROLLED)
    rows = torch.nonzero(doubtful).flatten().tolist()
    if not rows:
        return found
    turns = torch.arange(4).repeat_interleave(len(rows)) * (math.pi / 2)
    crops = found.crops[rows * 4]
    turned = align(aligner, image, Crops(crops.center, crops.size, crops.roll + turns))
    likelier = _LIKELIER * (turned.crops.roll.cos() > math.cos(math.pi / 4))
    turn = (turned.alignment.logit + likelier).unflatten(0, (4, -1)).argmax(0)
    better = turned[turn * len(rows) + torch.arange(len(rows))]
    better = better.with_crops(Crops(better.crops.center, better.crops.size, _wrapped(better.crops.roll)))
    kept = ~doubtful
    kept[rows] = turn == 0
    return found[kept].joined(better[turn > 0])


def _as_mirrored(aligner: Aligner, image: Tensor, found: Located, confident: float) -> Tensor:
    """Which heads [B] are also found in the mirrored crop: patterns that resemble a head by chance rarely are."""
    if not len(found):
        return torch.zeros(0, dtype=torch.bool)
    mirrored = cut(image, found.crops, INPUT_SIZE).flip(3).to(next(aligner.parameters()).device)
    out: Alignment = aligner(mirrored)
    return (found.alignment.logit >= _SURE) | (out.confidence.cpu() >= confident)


def _faceless(image: Tensor, found: Located, faces: Faces) -> Tensor:
    """Which heads [B] are not those of people: the aligner, which is not sure of them, sees them from the front, where nothing
    at all resembles a face."""
    read = found.alignment
    doubtful = (found.confidence < _UNDOUBTED) & (read.yaw.abs() < _FRONTAL)
    rows = doubtful.nonzero()[:, 0].tolist()
    seen = faces.told(image, found.crops[rows], read.yaw[rows], read.pitch[rows]) if rows else None
    faceless = torch.zeros_like(doubtful)
    if seen is not None:
        faceless[rows] = seen.logit < FACE - _NOTHING
    return faceless


def _apart(found: Located, image: Tensor) -> Located:
    """Heads that lie in the frame, the best of those that overlap, best first."""
    same = _overlaps(found.crops, found.crops)
    keep: list[int] = []
    for i in found.confidence.argsort(descending=True).tolist():
        if _inside(found.crops[i], image) and not bool(same[i, keep].any()):
            keep.append(i)
    return found[keep]


def _inside(crops: Crops, image: Tensor) -> bool:
    """Whether most of the head is inside the frame and its size is plausible."""
    height, width = image.shape[-2:]
    x, y = crops.center[0].tolist()
    size = float(crops.size[0])
    margin = 0.05 * size
    within = -margin <= x < width + margin and -margin <= y < height + margin
    return within and 0.08 * height < size < 4.0 * height
