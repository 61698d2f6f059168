"""A small training as one of the processes that `torchrun` starts: `python -m tests.core.training.regression FOLDER`.

Writes the reported losses and the weights, and whether it waited for the first process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed, nn

from inv3d.core.training.job import first_alone, join_processes
from inv3d.core.training.loop import Losses, Training


class Regression(Training):
    """Learns a random linear map; a step looks at the batches of `shares` processes."""

    name, steps, report_every, clip = "regression", 12, 3, 0.5

    def __init__(self, shares: int) -> None:
        torch.manual_seed(0)
        self.shares, self.network, self.target = shares, nn.Linear(3, 2), torch.randn(3, 2)
        self.device = torch.device("cpu")
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.parts = {"network": self.network}

    def rates(self) -> Sequence[float]:
        return [0.1]

    def losses(self, random: torch.Generator) -> Losses:
        sources = [torch.Generator().manual_seed(random.initial_seed() + i) for i in range(self.shares)]
        x = torch.cat([torch.randn(4, 3, generator=source) for source in sources])
        error = self.network(x) - x @ self.target
        return {"square": error.square().mean(), "absolute": error.abs().mean()}

    def learned(self, folder: Path) -> tuple[list[dict[str, float]], list[float]]:
        """The lines of its log, without times, and the weights at the end."""
        list(self.run(folder / "regression.pt", lambda line: None))
        log = folder / "regression.jsonl"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if self.rank == 0 else []
        return [{key: line[key] for key in ("step", "square", "absolute")} for line in lines], self.network.weight.flatten().tolist()


def main(folder: Path) -> None:
    join_processes(torch.device("cpu"))
    curve, weights = Regression(1).learned(folder)
    distributed.set_timeout(timedelta(seconds=1))
    drawn = folder / "drawn"

    def draw() -> None:
        time.sleep(3.0)
        drawn.touch()

    first_alone(draw)
    told = {"curve": curve, "weights": weights, "waited": drawn.exists()}
    (folder / f"{distributed.get_rank()}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
