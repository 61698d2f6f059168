"""The helper networks on heads they never saw: `python benchmarks/networks.py`.

Aligner: errors, and reliability of the confidence of the whole search in frames with a head of any size, anywhere,
partly outside, on clutter. Identity: verification accuracy per yaw distance. Perceptual: how often the stronger of
two distortions is the more distant one, beside LPIPS (AlexNet), L2 and SSIM.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from results import publish, table
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import Bundle, load_bundle
from inv3d.core.camera import Camera, in_frame, look_at
from inv3d.core.crops import Crops, cut
from inv3d.core.helpers import load_perceptual
from inv3d.core.metrics.image import mse, ssim
from inv3d.core.networks.aligner import Aligner
from inv3d.core.training.augment import clutter, noisy, over, soft
from inv3d.core.training.source import SOURCES, Source
from inv3d.video.detect import Faces, faces_of
from inv3d.video.locate import search
from inv3d.video.track import SEARCH_SIDE

SEED = 501
SCENES, HARD, EMPTY = 150, 80, 500
FRAME = (SEARCH_SIDE, SEARCH_SIDE * 16 // 9)
HEAD_OF_CROP = 0.66
"""Height of a head as a share of the generator's crop around it."""
HEADS, VIEWS = 80, 6
CONFIDENCES = (0.0, 0.2, 0.5, 0.8, 0.95, 1.0)


class Heads:
    """Draws the kind of heads that a model learned."""

    def __init__(self, bundle: Bundle) -> None:
        self.source: Source = SOURCES[bundle.info.drawn_from or "toons"]
        self._renderer: Any = self.source.artist(compiled=False).renderer  # type: ignore[attr-defined]

    def random(self, count: int, random: torch.Generator) -> Tensor:
        """Parameters [N,K] of heads."""
        z = torch.randn(count, self.source.identity_dim, generator=random)
        return self.source.parameters(z, torch.randn(count, self.source.expression_dim, generator=random))

    def draw(self, parameters: Tensor, camera: Camera, size: int | tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Pictures [N,3,H,W] in [-1,1] and their coverage [N,1,H,W]."""
        render = self._renderer.render(parameters, camera, size, 1)
        return render.image, render.alpha


def scene(random: torch.Generator, heads: Heads, hard: bool = False) -> tuple[Tensor, Crops, float, float]:
    """A frame [3,H,W] with a head of 15 to 90 % of its height, its own crop, yaw and pitch (degrees).

    Hard ones turn up to 125 degrees, lie up to half outside, and are dark, blurred and noisy.
    """
    height, width = FRAME
    parameters = heads.random(1, random)
    uniform = torch.rand(5, generator=random)
    yaw, pitch = float(uniform[0] * 2 - 1) * (125 if hard else 75), float(uniform[1] * 2 - 1) * 20
    head = math.exp(math.log(0.15) + float(uniform[2]) * math.log(0.90 / 0.15)) * height
    side = head / HEAD_OF_CROP
    # up to a third of a head's height and width beyond every edge, or half
    edge = 0.0 if hard else 0.17
    x, y = (
        edge * head + float(u) * (extent - 2 * edge * head)
        for u, extent in zip(uniform[3:], (width, height), strict=True)
    )
    aligned = look_at(torch.tensor([yaw]).deg2rad(), torch.tensor([pitch]).deg2rad())
    camera = in_frame(aligned, (x, y), side, width, height)
    image, alpha = heads.draw(parameters, camera, FRAME)
    picture = over(image, alpha, clutter(1, width, random)[..., :height, :])
    if hard:
        strength = torch.rand(2, 1, generator=random)
        picture = noisy(soft(0.6 * picture - 0.3, 0.5 * strength[0], random), 0.6 * strength[1], random).clamp(-1, 1)
    return picture[0], Crops(torch.tensor([[x, y]]), torch.tensor([side]), torch.zeros(1)), yaw, pitch


def aligner_report(
    random: torch.Generator, aligner: Aligner, heads: Heads, faces: Faces | None = None
) -> tuple[dict[str, tuple[float, float]], list[list[object]], dict[str, float]]:
    """Errors (median, 95th percentile), reliability of the confidence, and shares of heads found and imagined."""
    errors: list[list[float]] = []
    judged: list[tuple[float, bool]] = []
    found = imagined = 0
    for i in range(SCENES + HARD):
        hard = i >= SCENES
        picture, truth, yaw, pitch = scene(random, heads, hard)
        best = search(aligner, picture, confident=0.0, faces=faces)
        if not len(best):
            continue
        crops, pose = best.crops[0], best.alignment
        side = float(truth.size)
        row = [
            abs(math.degrees(float(pose.yaw[0])) - yaw),
            abs(math.degrees(float(pose.pitch[0])) - pitch),
            100 * float((crops.center - truth.center).norm()) / side,
            100 * abs(float(crops.size) / side - 1),
            abs(math.degrees(float(crops.roll))),
        ]
        # right within twice of what the network was asked for
        judged.append((float(best.confidence[0]), row[0] < 20 and row[1] < 20 and row[2] < 20 and row[3] < 20))
        if best.confidence[0] >= 0.5 and not hard:
            found += 1
            errors.append(row)
    for _ in range(EMPTY):
        best = search(aligner, clutter(1, FRAME[1], random)[0, :, : FRAME[0]], confident=0.0, faces=faces)
        if len(best):
            judged.append((float(best.confidence[0]), False))
            imagined += float(best.confidence[0]) >= 0.5
    confidence, right = np.array([c for c, _ in judged]), np.array([r for _, r in judged])
    rows: list[list[object]] = []
    for low, high in pairwise(CONFIDENCES):
        chosen = (confidence >= low) & (confidence < high if high < 1 else confidence <= 1)
        if chosen.any():
            rows.append(
                [
                    f"{low:.2f}-{high:.2f}",
                    100 * float(confidence[chosen].mean()),
                    100 * float(right[chosen].mean()),
                    int(chosen.sum()),
                ]
            )
    names = ("yaw (degrees)", "pitch (degrees)", "shift (% of the crop)", "scale (%)", "roll (degrees)")
    values = np.array(errors)
    figures = {n: (float(np.median(v)), float(np.percentile(v, 95))) for n, v in zip(names, values.T, strict=True)}
    return (
        figures,
        rows,
        {"heads found (%)": 100 * found / SCENES, "empty frames with a head (%)": 100 * imagined / EMPTY},
    )


def portraits(random: torch.Generator, size: int, heads: Heads) -> tuple[Tensor, Tensor, Tensor]:
    """Images [H,V,3,R,R] of held-out heads, alpha and yaw [H,V]; another expression on every picture."""
    source = heads.source
    z = torch.randn(HEADS, source.identity_dim, generator=random).repeat_interleave(VIEWS, 0)
    expression = torch.randn(HEADS * VIEWS, source.expression_dim, generator=random)
    yaw = (torch.rand(HEADS * VIEWS, generator=random) * 2 - 1) * math.radians(75)
    pitch = (torch.rand(HEADS * VIEWS, generator=random) * 2 - 1) * math.radians(20)
    image, alpha = heads.draw(source.parameters(z, expression), look_at(yaw, pitch), size)
    shape = (HEADS, VIEWS, -1, size, size)
    return image.reshape(shape), alpha.reshape(shape), yaw.reshape(HEADS, VIEWS)


def identity_report(random: torch.Generator, bundle: Bundle, heads: Heads) -> dict[str, list[list[object]]]:
    """`identity_rows` of the network that fits optimise and of the one that only measures, on the same pictures."""
    image, alpha, yaw = portraits(random, 128, heads)
    background = clutter(HEADS * VIEWS, 128, random).reshape(image.shape)
    pictures = over(image.flatten(0, 1), alpha.flatten(0, 1), background.flatten(0, 1))
    networks = {"identity (fits optimise it)": bundle.identity, "judge (only measures)": bundle.judge}
    return {name: identity_rows(network(pictures), yaw) for name, network in networks.items()}


def identity_rows(embedding: Tensor, yaw: Tensor) -> list[list[object]]:
    """Per yaw distance: accuracy at one threshold, mean scores of same and different heads, their gap.

    The threshold is the best one on the first half of the heads; everything else is measured on the second half.
    """
    owner, angle = torch.arange(HEADS).repeat_interleave(VIEWS), yaw.flatten().rad2deg()
    scores = embedding @ embedding.t()
    upper = torch.ones_like(scores).triu(1) > 0
    same, distance = owner[:, None] == owner, (angle[:, None] - angle).abs()
    first = (owner < HEADS // 2)[:, None] & (owner < HEADS // 2)
    second = (owner >= HEADS // 2)[:, None] & (owner >= HEADS // 2)

    def accuracy(pairs: Tensor, threshold: Tensor) -> float:
        """Mean of the shares of same and of different heads that are told rightly."""
        same_right = (scores[pairs & same] > threshold).float().mean()
        return 50 * float(same_right + (scores[pairs & ~same] <= threshold).float().mean())

    threshold = max(torch.linspace(-0.5, 1, 301), key=lambda t: accuracy(upper & first, t))
    rows: list[list[object]] = []
    for low, high in ((0, 30), (30, 60), (60, 90), (90, 150)):
        chosen = upper & second & (distance >= low) & (distance < high)
        means = float(scores[chosen & same].mean()), float(scores[chosen & ~same].mean())
        pairs = int((chosen & same).sum())
        rows.append([f"{low}-{high}°", accuracy(chosen, threshold), *means, means[0] - means[1], pairs])
    return rows


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with repeated borders."""
    radius = int(3 * sigma + 1)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1.0) / sigma) ** 2)
    taps = (taps / taps.sum()).reshape(1, 1, -1, 1).expand(3, -1, -1, -1)
    padded = F.pad(image, (radius, radius, radius, radius), mode="replicate")
    return F.conv2d(F.conv2d(padded, taps, groups=3), taps.transpose(2, 3), groups=3)


def distort(image: Tensor, kind: str, strength: float, others: Tensor, random: torch.Generator) -> Tensor:
    """Distortions whose order in strength is known; strengths of about 0.25 are mild, of 1 severe."""
    if kind == "noise":
        return image + 0.4 * strength * torch.randn(image.shape, generator=random)
    if kind == "blur":
        return blur(image, 0.2 + 4.0 * strength)
    if kind == "shift":
        center = torch.full((len(image), 2), 64.0) + 8.0 * strength
        crops = Crops(center, torch.full((len(image),), 128.0), torch.zeros(len(image)))
        return torch.cat([cut(one, crops[i], 128) for i, one in enumerate(image)])
    if kind == "warp":
        axis = torch.linspace(-1, 1, 128)
        wave = 0.12 * strength * torch.sin(9.0 * axis)
        grid = torch.stack([axis + wave[:, None], axis[:, None] + wave], -1)
        return F.grid_sample(image, grid.expand(len(image), -1, -1, -1), padding_mode="border", align_corners=False)
    if kind == "contrast":
        return image * (1.0 + 1.2 * strength)
    if kind == "colour":
        return image + 0.5 * strength * torch.tensor([1.0, -0.5, -1.0])[:, None, None]
    return image + strength * (others - image)  # towards another head in the same pose


def perceptual_rows(random: torch.Generator, bundle: Bundle, source: Heads) -> list[list[object]]:
    """How often each distance orders two distorted pictures rightly, in percent; and how often as LPIPS does."""
    count = 40
    lpips = load_perceptual("lpips-alex", torch.device("cpu"))
    camera = look_at((torch.rand(count, generator=random) * 2 - 1) * 0.7, torch.zeros(count))
    own, other = source.random(2 * count, random).split(count)
    heads = (own, other, source.source.lookalikes(own, other))
    image, others, alike = (source.draw(parameters, camera, 128)[0] for parameters in heads)
    measures = {
        "perceptual": bundle.perceptual.distance, "LPIPS": lpips.distance, "L2": mse,
        "1 - SSIM": lambda a, b: 1 - ssim(a, b),
    }  # fmt: skip
    right: dict[tuple[str, str], list[float]] = {}

    def compare(case: str, nearer: Tensor, further: Tensor) -> None:
        ordered = {name: measure(image, nearer) < measure(image, further) for name, measure in measures.items()}
        shares = {name: order.float().mean() for name, order in ordered.items()}
        shares["as LPIPS"] = (ordered["perceptual"] == ordered["LPIPS"]).float().mean()
        for name, share in shares.items():
            right.setdefault((name, case), []).append(100 * float(share))

    kinds = ("noise", "blur", "shift", "warp", "contrast", "colour", "other head")
    for kind in kinds:
        for low, high in ((0.1, 0.2), (0.3, 0.4), (0.6, 0.75)):
            nearer, further = (distort(image, kind, strength, others, random) for strength in (low, high))
            compare(f"{kind}, weaker before stronger", nearer, further)
    for kind in kinds[:-1]:
        compare(
            f"mild {kind} before another face in the same colours", distort(image, kind, 0.25, others, random), alike
        )
    cases = list(dict.fromkeys(case for _, case in right))
    columns = list(dict.fromkeys(name for name, _ in right))
    rows: list[list[object]] = [[case, *(float(np.mean(right[name, case])) for name in columns)] for case in cases]
    rows.append(["all", *(float(np.mean([np.mean(right[name, case]) for case in cases])) for name in columns)])
    return rows


@torch.no_grad()
def main() -> None:
    random = torch.Generator().manual_seed(SEED)
    bundle = load_bundle("demo")
    heads = Heads(bundle)
    errors, reliability, shares = aligner_report(random, bundle.aligner, heads, faces_of(bundle))
    identity, perceptual = identity_report(random, bundle, heads), perceptual_rows(random, bundle, heads)
    text = (
        f"Aligner: the whole search in {SCENES} frames with a head of 15 to 90 % of the height, up to a third of it\n"
    )
    text += "outside, on clutter, yaws to ±75°. "
    text += ", ".join(f"{name}: {value:.1f}" for name, value in shares.items()) + ".\n\n"
    text += table(["error", "median", "95th percentile"], [[name, *values] for name, values in errors.items()])
    text += f"\n\nReliability, with {HARD} hard frames (yaws to ±125°, half outside, dark, blurred, noisy) and {EMPTY} of clutter alone; right: yaw, pitch to 20 degrees, shift, scale to 20 %.\n\n"
    text += table(["confidence", "mean confidence (%)", "right (%)", "frames"], reliability)
    text += f"\n\nIdentity, {HEADS} held-out heads, {VIEWS} pictures each with other expressions and backgrounds; the threshold\n"
    text += "is chosen on one half of the heads, the figures are of the other half:\n\n"
    header = ["network", "yaw distance", "accuracy (%)", "same head", "other head", "gap", "pairs"]
    text += table(header, [[name, *row] for name, rows in identity.items() for row in rows])
    text += "\n\nPerceptual distance: how often the known order of two distortions is found (%), 40 held-out heads;\n"
    text += "contrast is a kind that training never used:\n\n"
    text += table(["case", "perceptual", "LPIPS", "L2", "1 - SSIM", "perceptual as LPIPS"], perceptual)
    data = {
        "aligner": errors, "reliability": reliability, "found": shares, "identity": identity,
        "perceptual": perceptual,
    }  # fmt: skip
    publish("networks", data, text)


if __name__ == "__main__":
    main()
