import dataclasses
import math
from typing import Any

import pytest

from inv3d.core.errors import InputError
from inv3d.core.inversion.settings import FAST
from inv3d.core.metrics.evaluate import FrameMetrics, means
from inv3d.core.records import read_record, write_record
from inv3d.export.results import (
    BothFrames,
    ClipFacts,
    ClipRun,
    FrameFacts,
    MeasuredBy,
    Metrics,
    PhotographsRun,
    PhotoRun,
    finite_figures,
)  # fmt: skip
from inv3d.video.decode import FailedFrame

ROW = FrameMetrics(3, 0.1, -20.0, 0.01, 26.0, 0.9, 0.05, 0.8)
COMMON: dict[str, Any] = {
    "sha256": "0" * 64, "model": "demo", "fingerprint": "x", "perceptual": "own", "identity": "own", "seed": 0,
    "settings": FAST, "device": "cpu", "version": "1",
}  # fmt: skip


def metrics(row: FrameMetrics) -> Metrics:
    fit = means([row])
    assert fit is not None
    return Metrics(
        fit=fit, held_out=None, depth_consistency=0.0, latent_distance=0.0,
        networks=MeasuredBy("a", "b"), frames=BothFrames(held_out=(), fit=(row,)),
    )  # fmt: skip


@pytest.mark.parametrize(
    "record",
    [
        metrics(ROW),
        ClipRun(
            clip="a.mp4", views=9, latents=True, frames=FrameFacts(2, (FailedFrame(7, 0.3, "no head found"),)),
            clip_info=ClipFacts("a.mp4", "h264", 320, 180, 28, 2.8, 10.0), means=metrics(ROW).means, **COMMON,
        ),
        PhotographsRun(photos=("a.jpg", "caf\udce9.jpg"), views=2, latents=False, frames=FrameFacts(2, ()), **COMMON),
        PhotoRun(photo="caf\udce9.jpg", encoder="preim3d", refine=0, tune=0, confidence=0.9, yaw_degrees=1.5, pitch_degrees=0.0, **COMMON),
    ],
    ids=["metrics", "clip", "photographs", "photo"],
)  # fmt: skip
def test_a_record_of_an_output_is_read_as_it_was_written(record, tmp_path):
    write_record(tmp_path / "a.json", record)
    assert read_record(tmp_path / "a.json", type(record)) == record


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(FrameMetrics) if field.name not in ("frame", "face_lost")])
def test_a_figure_that_is_not_a_number_ends_in_one_line(field):
    changed: dict[str, Any] = {field: math.nan}
    row = dataclasses.replace(ROW, **changed)
    said = r"the head cannot be measured: .* should be a finite number"
    with pytest.raises(InputError, match=said), finite_figures("the head cannot be measured"):
        metrics(row)
