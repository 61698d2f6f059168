"""The helper networks on heads they never saw: `python benchmarks/networks.py`.

Aligner: errors on crops as a detector leaves them. Identity: verification accuracy and score gap per yaw distance.
Perceptual: how often the stronger of two distortions is the more distant one, beside L2 and SSIM.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from results import publish, table
from torch import Tensor
from torch.nn import functional as F

from inv3d.core.bundle import load_bundle
from inv3d.core.camera import FFHQ_FOCAL, look_at
from inv3d.core.crops import Crops, cut
from inv3d.core.metrics.image import mse, ssim
from inv3d.core.procedural.parameters import EXPRESSION_DIM, IDENTITY_DIM, PARAMETER_NAMES, head_parameters
from inv3d.core.procedural.renderer import HeadRenderer
from inv3d.core.training.augment import clutter, over
from inv3d.video.locate import align

SEED = 501
HEADS, VIEWS = 60, 5


def portraits(random: torch.Generator, factor: float, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images [H,V,3,R,R] of held-out heads, alpha, yaw and pitch [H,V]; another expression on every picture."""
    z = torch.randn(HEADS, IDENTITY_DIM, generator=random).repeat_interleave(VIEWS, 0)
    expression = torch.randn(HEADS * VIEWS, EXPRESSION_DIM, generator=random)
    yaw = (torch.rand(HEADS * VIEWS, generator=random) * 2 - 1) * math.radians(75)
    pitch = (torch.rand(HEADS * VIEWS, generator=random) * 2 - 1) * math.radians(20)
    render = HeadRenderer().render(
        head_parameters(z, expression), look_at(yaw, pitch, focal=FFHQ_FOCAL / factor), size, 1
    )
    shape = (HEADS, VIEWS, -1, size, size)
    return (
        render.image.reshape(shape),
        render.alpha.reshape(shape),
        yaw.reshape(HEADS, VIEWS),
        pitch.reshape(HEADS, VIEWS),
    )


def aligner_errors(random: torch.Generator) -> dict[str, tuple[float, float]]:
    """Median and 95th percentile of the errors after three iterations from a rough crop, on clutter."""
    aligner = load_bundle("demo").aligner
    image, alpha, yaw, pitch = (t.flatten(0, 1) for t in portraits(random, 2.0, 256))
    errors = []
    for i in range(len(image)):
        picture = over(image[i : i + 1], alpha[i : i + 1], clutter(1, 256, random))[0]
        rough = Crops(
            128 + 25 * torch.randn(1, 2, generator=random),
            128 * torch.exp(0.3 * torch.randn(1, generator=random)),
            torch.zeros(1),
        )
        found = align(aligner, picture, rough)
        errors.append(
            [
                math.degrees(abs(float(found.alignment.yaw - yaw[i]))),
                math.degrees(abs(float(found.alignment.pitch - pitch[i]))),
                100 * float((found.crops.center - 128).norm()) / 128,
                100 * abs(float(found.crops.size) / 128 - 1),
                math.degrees(abs(float(found.crops.roll))),
            ]
        )
    values = np.array(errors)
    names = ("yaw (degrees)", "pitch (degrees)", "shift (% of the crop)", "scale (%)", "roll (degrees)")
    return {n: (float(np.median(v)), float(np.percentile(v, 95))) for n, v in zip(names, values.T, strict=True)}


def identity_rows(random: torch.Generator) -> list[list[object]]:
    """Per yaw distance: accuracy at the best threshold, mean scores of same and different heads, their gap."""
    network = load_bundle("demo").identity
    image, alpha, yaw, _ = portraits(random, 1.0, 128)
    background = clutter(HEADS * VIEWS, 128, random).reshape(image.shape)
    embedding = network(over(image, alpha, background).flatten(0, 1))
    owner, angle = torch.arange(HEADS).repeat_interleave(VIEWS), yaw.flatten().rad2deg()
    scores = embedding @ embedding.t()
    upper = torch.ones_like(scores).triu(1) > 0
    same, distance = owner[:, None] == owner, (angle[:, None] - angle).abs()
    threshold_candidates = torch.linspace(-0.5, 1, 301)
    rows: list[list[object]] = []
    for low, high in ((0, 30), (30, 60), (60, 90), (90, 150)):
        chosen = upper & (distance >= low) & (distance < high)
        positive, negative = scores[chosen & same], scores[chosen & ~same]
        accuracy = max(
            float((positive > t).float().mean() + (negative <= t).float().mean()) / 2 for t in threshold_candidates
        )
        means = float(positive.mean()), float(negative.mean())
        rows.append([f"{low}-{high}°", 100 * accuracy, *means, means[0] - means[1], len(positive)])
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
    if kind == "colour":
        return image + 0.5 * strength * torch.tensor([1.0, -0.5, -1.0])[:, None, None]
    return image + strength * (others - image)  # towards another head in the same pose


def lookalikes(parameters: Tensor, others: Tensor) -> Tensor:
    """Other people's faces under this head's colours, hair, beard and glasses."""
    kept = ("hair_", "beard", "glasses", "sideburn", "nape", "parting", "head_")
    colours = ("iris_", "skin_", "lip_", "shirt_", "background_", "frame_")
    keep = torch.tensor([name.startswith(kept + colours) for name in PARAMETER_NAMES])
    return torch.where(keep, parameters, others)


def perceptual_rows(random: torch.Generator) -> list[list[object]]:
    """How often each distance orders two distorted pictures rightly, in percent."""
    network = load_bundle("demo").perceptual
    count = 40
    z = torch.randn(2, count, IDENTITY_DIM, generator=random)
    expression = torch.randn(count, EXPRESSION_DIM, generator=random)
    camera = look_at((torch.rand(count, generator=random) * 2 - 1) * 0.7, torch.zeros(count))
    own, other = (head_parameters(z[i], expression) for i in range(2))
    heads = (own, other, lookalikes(own, other))
    image, others, alike = (HeadRenderer().render(parameters, camera, 128, 1).image for parameters in heads)
    measures = {"perceptual": network.distance, "L2": mse, "1 - SSIM": lambda a, b: 1 - ssim(a, b)}
    right: dict[tuple[str, str], list[float]] = {}

    def compare(case: str, nearer: Tensor, further: Tensor) -> None:
        for name, measure in measures.items():
            ordered = (measure(image, nearer) < measure(image, further)).float().mean()
            right.setdefault((name, case), []).append(100 * float(ordered))

    kinds = ("noise", "blur", "shift", "colour", "other head")
    for kind in kinds:
        for low, high in ((0.1, 0.2), (0.3, 0.4), (0.6, 0.75)):
            nearer, further = (distort(image, kind, strength, others, random) for strength in (low, high))
            compare(f"{kind}, weaker before stronger", nearer, further)
    for kind in kinds[:-1]:
        compare(
            f"mild {kind} before another face in the same colours", distort(image, kind, 0.25, others, random), alike
        )
    cases = list(dict.fromkeys(case for _, case in right))
    rows: list[list[object]] = [[case, *(float(np.mean(right[name, case])) for name in measures)] for case in cases]
    rows.append(["all", *(float(np.mean([np.mean(right[name, case]) for case in cases])) for name in measures)])
    return rows


@torch.no_grad()
def main() -> None:
    random = torch.Generator().manual_seed(SEED)
    aligner, identity, perceptual = aligner_errors(random), identity_rows(random), perceptual_rows(random)
    text = "Aligner, 300 crops of 60 held-out heads on clutter, yaws to ±75°:\n\n"
    text += table(["error", "median", "95th percentile"], [[name, *values] for name, values in aligner.items()])
    text += "\n\nIdentity, 60 held-out heads, 5 pictures each with other expressions and backgrounds:\n\n"
    text += table(["yaw distance", "accuracy (%)", "same head", "other head", "gap", "pairs"], identity)
    text += "\n\nPerceptual distance: how often the known order of two distortions is found (%), 40 held-out heads:\n\n"
    text += table(["case", "perceptual", "L2", "1 - SSIM"], perceptual)
    publish("networks", {"aligner": aligner, "identity": identity, "perceptual": perceptual}, text)


if __name__ == "__main__":
    main()
