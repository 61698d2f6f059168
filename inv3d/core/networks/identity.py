"""The identity network: a unit embedding that is the same for one head from all sides and with all expressions."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from inv3d.core.networks.trunk import Trunk
from inv3d.core.resampling import resize

INPUT_SIZE = 64
IDENTITY_WIDTHS = (24, 48, 64, 96, 128)
JUDGE_WIDTHS = (16, 32, 48, 64, 96)
"""Widths of the judge, which only measures and which no fit optimises."""


class IdentityNetwork(nn.Module):
    """Embeddings [B,64] of unit length from aligned images [B,3,R,R] in [-1,1] of any resolution."""

    def __init__(self, widths: tuple[int, ...] = IDENTITY_WIDTHS, embedding: int = 64) -> None:
        super().__init__()
        self.trunk = Trunk(widths)
        cells = (INPUT_SIZE >> len(widths)) ** 2
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(widths[-1] * cells, 256), nn.SiLU(), nn.Linear(256, embedding)
        )

    def forward(self, image: Tensor) -> Tensor:
        small = resize(image, (INPUT_SIZE, INPUT_SIZE), antialias=True)
        return F.normalize(self.head(self.trunk(small)).float(), dim=-1)

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """Cosine similarity [B] of the heads in two batches of images."""
        return (self(a) * self(b)).sum(-1)
