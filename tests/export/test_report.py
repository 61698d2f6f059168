import re

import torch

from inv3d.core.inversion.settings import FAST
from inv3d.core.metrics.evaluate import evaluate, means
from inv3d.core.views import Views
from inv3d.export.report import Source, write_report
from inv3d.export.results import BothFrames, MeasuredBy, Metrics, Run


def test_the_page_holds_everything_itself(head, tmp_path):
    cameras = head.camera(torch.tensor([-0.4, 0.4]), torch.zeros(2))
    renders = head.render_each(cameras, lambda render: render, 32)
    images = torch.cat([render.image for render in renders]).roll(1, 3)
    views = Views(images, cameras, (3, 8), (0.1, 0.4))
    rows = evaluate(views, (render.image for render in renders), head.bundle)
    first, second = means(rows[:1]), means(rows[1:])
    metrics = Metrics(
        fit=first,
        held_out=second,
        depth_consistency=0.0012,
        latent_distance=1.5,
        networks=MeasuredBy("a face network", "a <perceptual> network"),
        frames=BothFrames(tuple(rows[:1]), tuple(rows[1:])),
    )
    run = Run(
        sha256="0" * 64, model="demo", fingerprint="x", perceptual="own", identity="own", seed=0, settings=FAST,
        device="cpu", version="1", total_seconds=61.0,
    )  # fmt: skip
    source = Source("<b>clip</b>\udcff.mp4", "2 views", "All sides.", "20 usable, 1 failed.", ("frame 7: pose <jumps>",))
    (tmp_path / "orbit.mp4").write_bytes(b"video")
    write_report(tmp_path / "report.html", source, head, views, renders, metrics, run, tmp_path / "orbit.mp4")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b>clip</b>" not in page and r"&lt;b&gt;clip&lt;/b&gt;\xff.mp4" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "frame 7: pose &lt;jumps&gt;" in page
    assert "a face network" in page and "a &lt;perceptual&gt; network" in page
    assert f"{first.psnr:.4g}" in page and f"{second.psnr:.4g}" in page
