"""Training of the helper networks: aligner, identity, perceptual."""

from __future__ import annotations

import math
from abc import abstractmethod
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.crops import Crops, sampling_grid
from inv3d.core.device import half_where_fast
from inv3d.core.networks.aligner import INPUT_SIZE, Aligner
from inv3d.core.networks.identity import IDENTITY_WIDTHS, JUDGE_WIDTHS, IdentityNetwork
from inv3d.core.networks.perceptual import PerceptualNetwork
from inv3d.core.training import dataset
from inv3d.core.training.augment import DISTORTIONS, clutter, degrade, occluded, over, photographed, scrambled
from inv3d.core.training.demo import ParameterEmbedding
from inv3d.core.training.loop import Losses, Training
from inv3d.core.training.source import source_of
from inv3d.core.views import from_bytes


class NetworkTrainer(Training):
    """Trains a helper network; subclasses say what a step's loss is."""

    lr = 0.002
    images_kind: str

    def __init__(self, network: nn.Module, data: Path, steps: int, device: torch.device, seed: int = 0) -> None:
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.images = dataset.load_images(data, self.images_kind)
        self.name, self.steps, self.device, self.seed = type(network).__name__, steps, device, seed
        self.parts = {"network": self.network}
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=self.lr, weight_decay=0.01)

    @abstractmethod
    def network_losses(self, random: torch.Generator) -> Losses:
        """Named losses of one step."""

    def losses(self, random: torch.Generator) -> Losses:
        with half_where_fast(self.device):
            return self.network_losses(random)

    def rates(self) -> list[float]:
        return [self.lr * 0.5 * (1.0 + math.cos(math.pi * self.step / self.steps)) * min(1.0, (self.step + 1) / 100)]

    def pick(self, heads: Tensor, views: Tensor) -> tuple[Tensor, Tensor]:
        """Images [B,3,R,R] in [-1,1] and alpha [B,1,R,R]."""
        image = from_bytes(self.images["image"][heads, views])
        return image, self.images["alpha"][heads, views].float() / 255.0


RIGHT = (0.08, 0.08, 0.10, math.radians(10), math.radians(10), math.radians(10))
"""Errors of a reading that counts as right: shift in crop sizes, logarithm of the scale, roll, yaw, pitch."""


_GUESSED = 0.25
"""The weight of the poses of crops that are far from right."""


class AlignerTrainer(NetworkTrainer):
    """Crops around, beside and away from heads on clutter; the network predicts the crop's correction, the pose and
    the matte.

    The confidence learns how probable it is that the rest of the reading is right (see `RIGHT`).
    """

    images_kind = "wide"
    batch = 48
    mattes = 12
    """Crops of a batch whose mattes are learned; they would take two thirds of the time."""
    max_roll = math.radians(25)

    def __init__(
        self, data: Path, steps: int, device: torch.device, known_yaw: float = 1.05 * dataset.FACE_YAW
    ) -> None:
        """Pictures from beyond `known_yaw` (radians) show nothing to align to."""
        torch.manual_seed(1)
        super().__init__(Aligner(), data, steps, device, seed=1)
        self.known_yaw = known_yaw

    def network_losses(self, generator: torch.Generator) -> Losses:
        batch, images = self.batch, self.images

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(batch, generator=generator)

        heads = torch.randint(len(images["z"]), (batch,), generator=generator)
        views, others = torch.randint(images["yaw"].shape[1], (2, batch), generator=generator)
        # backs of heads, which teach little, come half as often
        views = torch.where(images["yaw"][heads, views].abs() <= self.known_yaw, views, others)
        picture, alpha = self.pick(heads, views)
        # mirror images are as good as other people
        mirrored = uniform(0, 1) < 0.5
        picture, alpha = (torch.where(mirrored[:, None, None, None], one.flip(-1), one) for one in (picture, alpha))
        yaw = torch.where(mirrored, -images["yaw"][heads, views], images["yaw"][heads, views])
        canvas = picture.shape[-1]
        # half of the crops are nearly right, as in the last iterations of the alignment
        near = uniform(0, 1) < 0.5
        spread = torch.where(near, 0.25, 1.0)
        own = canvas / dataset.WIDE_FACTOR
        size = own * torch.exp(0.75 * spread * uniform(-1, 1))
        roll = spread * uniform(-1, 1) * self.max_roll
        shift = 0.30 * spread[:, None] * torch.randn(batch, 2, generator=generator).clamp(-2.0, 2.0)
        center = canvas / 2 - shift * size[:, None]
        crops = Crops(center, size, roll)
        grid = sampling_grid(crops, 2 * INPUT_SIZE, canvas, canvas)
        rgba = F.grid_sample(torch.cat([picture, alpha], 1), grid, padding_mode="border", align_corners=False)
        present = uniform(0, 1) < 0.88
        covered = rgba[:, 3:] * present[:, None, None, None]
        room = clutter(batch, 2 * INPUT_SIZE, generator)
        # clutter with parts of faces in it, and half of the pictures before what they were drawn before
        like = uniform(0, 1)[:, None, None, None] < 0.3
        room = torch.where(like & ~present[:, None, None, None], scrambled(rgba[:, :3], generator), room)
        kept = (uniform(0, 1) < 0.5)[:, None, None, None] & present[:, None, None, None]
        image = torch.where(kept, rgba[:, :3], over(rgba[:, :3], covered, room))
        image, covered = occluded(image, covered, generator)
        cos, sin = roll.cos(), roll.sin()
        dx, dy = ((canvas / 2 - center) / size[:, None]).unbind(-1)
        target = torch.stack(
            [cos * dx + sin * dy, cos * dy - sin * dx, (own / size).log(), -roll, yaw,
             images["pitch"][heads, views]], -1,
        ).to(self.device)  # fmt: skip
        rgba = beyond_the_frame(torch.cat([image, covered], 1), target[:, :2].cpu(), own / size, generator)
        image, covered = F.avg_pool2d(rgba, 2).split((3, 1), 1)
        seen = photographed(image, generator).to(self.device, memory_format=torch.channels_last)
        out, matte = self.network.with_matte(seen, self.mattes)
        # the aligner must not find the back of a head
        inside = present & (target[:, :2].cpu().abs().amax(1) < 0.5) & (yaw.abs() <= self.known_yaw)
        predicted = torch.stack([out.shift[:, 0], out.shift[:, 1], out.log_scale, out.roll, out.yaw, out.pitch], -1)
        known = inside.float().to(self.device)
        error = F.smooth_l1_loss(predicted, target, beta=0.02, reduction="none") * known[:, None]
        # poses are read from crops that are nearly right; of others they are guesses
        error[:, 4:] *= torch.where(near, 1.0, _GUESSED).to(self.device)[:, None]
        error = error.sum(0) / known.sum()
        tolerance = torch.tensor(RIGHT, device=self.device)
        right = known * ((predicted - target).detach().abs() < tolerance).all(1)
        confidence = F.binary_cross_entropy_with_logits(out.logit, right)
        return {
            "place": 3.0 * error[:3].sum(),
            "roll": 2.0 * error[3],
            "pose": 3.0 * error[4:].sum(),
            "confidence": 0.3 * confidence,
            "matte": 0.3 * F.binary_cross_entropy_with_logits(matte, covered[: self.mattes].to(self.device)),
        }


class IdentityTrainer(NetworkTrainer):
    """Contrastive: two pictures of a head are closer to each other than to all other heads of the batch."""

    images_kind = "images"
    heads = 48
    temperature = 0.08
    seed = 2
    widths = IDENTITY_WIDTHS

    def __init__(self, data: Path, steps: int, device: torch.device) -> None:
        torch.manual_seed(self.seed)
        super().__init__(IdentityNetwork(self.widths), data, steps, device, seed=self.seed)

    def network_losses(self, generator: torch.Generator) -> Losses:
        heads = torch.randperm(len(self.images["z"]), generator=generator)[: self.heads].repeat(2)
        first = torch.randint(4, (self.heads,), generator=generator)
        second = (first + torch.randint(1, 4, (self.heads,), generator=generator)) % 4
        picture, alpha = self.pick(heads, torch.cat([first, second]))
        picture, alpha = F.avg_pool2d(picture, 2), F.avg_pool2d(alpha, 2)
        # a new background for every picture, so that it says nothing about the head
        picture = over(picture, alpha, clutter(len(heads), picture.shape[-1], generator))
        picture = photographed(jitter(picture, generator), generator)
        embedding = self.network(picture.to(self.device, memory_format=torch.channels_last))
        scores = embedding @ embedding.t() / self.temperature
        scores.fill_diagonal_(-torch.inf)
        partner = torch.arange(2 * self.heads, device=self.device).roll(self.heads)
        return {"contrast": F.cross_entropy(scores, partner)}


class JudgeTrainer(IdentityTrainer):
    """The identity network for measurements: other widths, other start, other batches, so that its errors are its own."""

    temperature = 0.1
    seed = 4
    widths = JUDGE_WIDTHS


class PerceptualTrainer(NetworkTrainer):
    """Predicts all parameters of the head and the pose from pictures, and ranks distortions."""

    images_kind = "images"
    batch = 24

    def __init__(self, data: Path, steps: int, device: torch.device) -> None:
        torch.manual_seed(3)
        self.source = source_of(data)
        self.normalise = ParameterEmbedding(8, self.source)
        super().__init__(PerceptualNetwork(len(self.normalise.mean) + 2), data, steps, device, seed=3)
        self.twins = dataset.load_images(data, "twins")["image"]

    def network_losses(self, generator: torch.Generator) -> Losses:
        heads = torch.randint(len(self.images["z"]), (self.batch,), generator=generator)
        views = torch.randint(self.images["yaw"].shape[1], (self.batch,), generator=generator)
        picture, _ = self.pick(heads, views)
        parameters = self.source.parameters(self.images["z"][heads], self.images["expression"][heads, views])
        parameters = self.normalise.normalise(parameters)
        pose = torch.stack([self.images["yaw"][heads, views], self.images["pitch"][heads, views]], -1)
        target = torch.cat([parameters, 2.0 * pose], 1).to(self.device)
        # what people overlook should not change the features
        seen = degrade(jitter(picture, generator), generator, noise=0.3)
        predicted = self.network(seen.to(self.device, memory_format=torch.channels_last))
        return {
            "reading": F.smooth_l1_loss(predicted, target, beta=0.5),
            "order": self._order(generator),
        }

    def _order(self, generator: torch.Generator) -> Tensor:
        """Whether the stronger of two distortions is further away, and another face further than a mild one."""
        rows = torch.randperm(len(self.twins), generator=generator)[: self.batch // 2]
        pair = from_bytes(self.twins[rows].to(self.device))
        if torch.rand((), generator=generator) < 0.5:
            pair = F.avg_pool2d(pair.flatten(0, 1), 2).unflatten(0, (-1, 2))
        image, alike = pair.unbind(1)
        weak = 0.05 + 0.45 * torch.rand(len(image), generator=generator)
        strong = weak + 0.08 + 0.4 * torch.rand(len(image), generator=generator)
        kind, other = torch.randint(len(DISTORTIONS), (2,), generator=generator).tolist()
        near, far = (DISTORTIONS[kind](image, strength, generator) for strength in (weak, strong))
        mild = DISTORTIONS[other](image, 0.6 * weak, generator)
        distance = self.network.distance
        logs = [torch.log(distance(image, changed) + 1e-6) for changed in (near, far, mild, alike)]
        return 0.2 * (F.softplus(5.0 * (logs[0] - logs[1])) + F.softplus(5.0 * (logs[2] - logs[3]))).mean()


def beyond_the_frame(image: Tensor, head: Tensor, size: Tensor, generator: torch.Generator) -> Tensor:
    """Let some crops [B,3,R,R] reach beyond the edge of their frame, where the border is repeated.

    `head` [B,2] is the centre and `size` [B] the size of the head's own crop, in crop sizes from the crop's centre;
    at most about 40 % of a head is lost.
    """
    batch, resolution = len(image), image.shape[-1]
    distance = size[:, None] * (0.08 + 0.5 * torch.rand(batch, 2, generator=generator))
    hidden = torch.rand(batch, 2, generator=generator)
    low = torch.where(hidden < 0.08, head - distance, torch.full_like(head, -1.0))
    high = torch.where(hidden > 0.92, head + distance, torch.full_like(head, 1.0))
    axis = (torch.arange(resolution) + 0.5) / resolution - 0.5
    x, y = (axis.clamp(low[:, i : i + 1], high[:, i : i + 1]) for i in (0, 1))
    grid = torch.stack([x[:, None].expand(-1, resolution, -1), y[:, :, None].expand(-1, -1, resolution)], -1)
    return F.grid_sample(image, 2.0 * grid, padding_mode="border", align_corners=False)


def jitter(image: Tensor, generator: torch.Generator) -> Tensor:
    """Move, scale and turn pictures a little, as an imperfect alignment does."""
    batch, size = len(image), image.shape[-1]

    def normal(scale: float, *shape: int) -> Tensor:
        return scale * torch.randn(batch, *shape, generator=generator)

    crops = Crops(size / 2 + normal(0.02 * size, 2), size * torch.exp(normal(0.03)), normal(0.03))
    return F.grid_sample(image, sampling_grid(crops, size, size, size), padding_mode="border", align_corners=False)
