import dataclasses
import re
from collections.abc import Sequence

import pytest
import torch

from inv3d.core.inversion.settings import FAST
from inv3d.core.metrics.evaluate import FrameMetrics, evaluate, means
from inv3d.core.views import Views
from inv3d.export.report import Source, write_report
from inv3d.export.results import BothFrames, MeasuredBy, Metrics, Run

RUN = Run(
    sha256="0" * 64, model="demo", fingerprint="x", perceptual="own", identity="own", seed=0, settings=FAST,
    device="cpu", version="1", total_seconds=61.0,
)  # fmt: skip
CLIP = Source("clip.mp4", "2 views", "All sides.", "20 usable, 1 failed.", ("frame 7: pose <jumps>",))
NETWORKS = MeasuredBy(perceptual="a <perceptual> network", identity="a face network")


@pytest.fixture(scope="module")
def fitted(head):
    """Views from two sides, their renders, and the figures of both."""
    cameras = head.camera(torch.tensor([-0.4, 0.4]), torch.zeros(2))
    renders = head.render_each(cameras, lambda render: render, 32)
    images = torch.cat([render.image for render in renders]).roll(1, 3)
    views = Views(images, cameras, (3, 8), (0.1, 0.4))
    return views, renders, evaluate(views, (render.image for render in renders), head.bundle)


def figures(fit: Sequence[FrameMetrics], held_out: Sequence[FrameMetrics], distance: float = 0.0) -> Metrics:
    """Metrics of these rows; without any held out, those of a photo."""
    fitted = means(fit)
    assert fitted is not None
    return Metrics(
        fit=fitted,
        held_out=means(held_out),
        depth_consistency=0.0012,
        latent_distance=distance,
        networks=NETWORKS,
        frames=BothFrames(held_out=tuple(held_out), fit=tuple(fit)),
    )


@pytest.fixture
def page(head, fitted, tmp_path):
    """Writes a report and gives its text."""

    def written(source: Source, views: int, metrics: Metrics) -> str:
        targets, renders, _ = fitted
        (tmp_path / "orbit.mp4").write_bytes(b"video")
        shown = (targets[:views], renders[:views], metrics, RUN, tmp_path / "orbit.mp4")
        write_report(tmp_path / "report.html", source, head, *shown)
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return written


def test_the_page_of_a_clip_holds_everything_itself(page, fitted):
    rows = fitted[2]
    text = page(CLIP, 2, figures(rows[:1], rows[1:], 1.5))
    assert not re.search(r'(src|href)="(?!data:|#|view\.html")', text)
    assert "frame 7: pose &lt;jumps&gt;" in text
    assert "a face network" in text and "a &lt;perceptual&gt; network" in text
    assert f"{rows[0].psnr:.4g}" in text and f"{rows[1].psnr:.4g}" in text
    assert "neighbouring codes: 1.50" in text and "Fitted views" in text and "Top to bottom" in text
    assert "ID over yaw" in text and "nan" not in text.split("<svg")[0].rsplit("base64", 1)[1]


def test_the_page_of_a_photo_speaks_of_one_view(page, fitted):
    source = Source("face.jpg", "encoder", "Front.", "One photo.")
    text = page(source, 1, figures(fitted[2][:1], []))
    assert "Fitted view" in text and "Left to right" in text
    for absent in ("unseen frames", "Least similar", "neighbouring codes", "over yaw</h2>", "<li>", "no ID is given"):
        assert absent not in text


def test_the_least_similar_unused_frame_is_named(page, fitted):
    rows = fitted[2]
    weakest = min(rows, key=lambda row: row.identity)
    text = page(CLIP, 2, figures(rows[:1], rows))
    assert f"Least similar unseen frame: frame {weakest.frame}, yaw {weakest.yaw:.0f}&deg;" in text


def test_figures_of_unseen_frames_come_first(page, fitted):
    text = page(CLIP, 2, figures(fitted[2][:1], fitted[2][1:]))
    assert text.index("<th>unseen frames") < text.index("<th>fitted views")


def test_strange_pictures_get_no_likeness_that_means_nothing(page, fitted):
    """Without an independent judge none is given; with one, its figure takes the place of the ID."""
    rows = [dataclasses.replace(row, identity=None) for row in fitted[2]]
    blind = figures(rows[:1], rows[1:]).changed(outside=True, strangeness=1.4, networks=MeasuredBy("LPIPS"))
    text = page(CLIP, 2, blind)
    assert "no ID is given" in text and "strangeness 1.40" in text and "inv3d[photos]" in text
    assert "ID similarity" not in text and "over yaw</h2>" not in text and "Least similar" not in text
    judged = [dataclasses.replace(row, face_distance=0.3 + 0.2 * i) for i, row in enumerate(rows)]
    judged.append(dataclasses.replace(judged[1], face_distance=None, face_lost=True))
    networks = MeasuredBy("LPIPS", face_distance="dlib")
    text = page(CLIP, 2, figures(judged[:1], judged[1:]).changed(outside=True, networks=networks))
    assert "Face distance over yaw" in text and "<td>0.5</td><td>0.3</td>" in text
    assert "renders without a face</td><td>1</td><td>0</td>" in text and "inv3d[photos]" not in text
    assert f"Least similar unseen frame: frame {judged[1].frame}" in text


def test_the_page_says_whose_pixels_the_figures_measure(page, fitted):
    rows = fitted[2]
    metrics = figures(rows[:1], rows[1:]).changed(model=means(rows[1:]))
    clip = page(CLIP, 2, metrics)
    assert "does without its own frame" in clip
    assert clip.index("<th>unseen frames") < clip.index("<th>the same, by the generator alone") < clip.index("<th>fitted views")
    photo = page(Source("face.jpg", "encoder", "Front.", "One photo."), 1, figures(rows[:1], []))
    assert "the figures are those of the generator alone" in photo and "its own frame" not in photo


def test_warnings_stand_in_the_page(page, fitted):
    source = dataclasses.replace(CLIP, warnings=("the face is <dark>: turn to a window",))
    assert "<li>the face is &lt;dark&gt;: turn to a window</li>" in page(source, 1, figures(fitted[2][:1], []))


def test_many_failed_frames_are_folded(page, fitted):
    metrics = figures(fitted[2][:1], [])
    few, many = (Source("c", "m", "s", "f", tuple(f"frame {i}" for i in range(n))) for n in (10, 11))
    assert "<details open>" in page(few, 1, metrics)
    assert "<details><summary>" in page(many, 1, metrics)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<b>it's</b>", "&lt;b&gt;it&#x27;s&lt;/b&gt;"),
        ('"><script>alert(1)</script>', "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("caf\udce9 \x1b[31m\n&amp;", r"caf\xe9 \x1b[31m\n&amp;amp;"),
        ("Łódź 🙂", "Łódź 🙂"),
    ],
)
def test_names_stand_in_the_page_as_text(page, fitted, name, shown):
    text = page(Source(name, name, name, name, (name,)), 1, figures(fitted[2][:1], []))
    assert f"<h1>{shown}</h1>" in text and f"<title>inv3d: {shown}</title>" in text and f"<li>{shown}</li>" in text
    assert text.count(shown) == 6
