import re

import torch

from inv3d.core.metrics.evaluate import evaluate, means
from inv3d.core.views import Views
from inv3d.export.report import Source, write_report


def test_the_page_holds_everything_itself(head, tmp_path):
    cameras = head.camera(torch.tensor([-0.4, 0.4]), torch.zeros(2))
    renders = head.render_each(cameras, lambda render: render, 32)
    images = torch.cat([render.image for render in renders]).roll(1, 3)
    views = Views(images, cameras, (3, 8), (0.1, 0.4))
    rows = evaluate(views, (render.image for render in renders), head.bundle)
    metrics = {"fit": means(rows), "held_out": means(rows[1:]), "depth_consistency": 0.0012, "latent_distance": 1.5}
    metrics["networks"] = {"identity": "a face network", "perceptual": "a <perceptual> network"}
    run = {"settings": {"name": "fast"}, "total_seconds": 61.0}
    source = Source("<b>clip</b>.mp4", "2 views", "All sides.", "20 usable, 1 failed.", ("frame 7: pose <jumps>",))
    (tmp_path / "orbit.mp4").write_bytes(b"video")
    made = (rows[:1], rows[1:], metrics, run, tmp_path / "orbit.mp4")
    write_report(tmp_path / "report.html", source, head, views, renders, *made)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b>clip</b>" not in page and "&lt;b&gt;clip" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "frame 7: pose &lt;jumps&gt;" in page
    assert "a face network" in page and "a &lt;perceptual&gt; network" in page
    assert f"{metrics['fit']['psnr']:.4g}" in page and f"{metrics['held_out']['psnr']:.4g}" in page
