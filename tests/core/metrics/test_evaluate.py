import math
from types import SimpleNamespace
from unittest import mock

import pytest
import torch

from inv3d.core.bundle import Bundle
from inv3d.core.camera import look_at
from inv3d.core.metrics.evaluate import FrameMetrics, evaluate, evaluate_each, means
from inv3d.core.metrics.image import ms_ssim
from inv3d.core.metrics.judges import FaceDistance, FaceJudge, Judges
from inv3d.core.views import Views


def network(between):
    """A network that sees the mean of a picture."""
    return SimpleNamespace(features=lambda x: (x.mean(),), between=lambda a, b: between(a[0], b[0])[None])


def test_every_frame_is_compared_with_its_own_render():
    """Networks that give the mean of each picture show which picture came first, and that renders are clamped."""
    networks = mock.Mock(
        spec=Bundle, perceptual=network(lambda a, b: a + 2 * b),
        judge=SimpleNamespace(similarity=lambda a, b: (a.mean() - 3 * b.mean())[None]),
    )  # fmt: skip
    targets = torch.stack([torch.full((3, 16, 16), value) for value in (0.5, -0.25)])
    renders = [torch.full((1, 3, 16, 16), value) for value in (1.5, -0.5)]
    views = Views(targets, look_at(torch.tensor([0.3, -0.6]), torch.zeros(2)), (4, 9), (0.2, 0.7))
    first, second = evaluate(views, iter(renders), networks)
    assert (first.frame, first.time, second.frame, second.time) == (4, 0.2, 9, 0.7)
    assert (first.yaw, second.yaw) == pytest.approx((math.degrees(0.3), math.degrees(-0.6)), abs=1e-3)
    assert (first.mse, second.mse) == pytest.approx((0.25, 0.0625))
    assert (first.psnr, second.psnr) == pytest.approx((10 * math.log10(16), 10 * math.log10(64)), abs=1e-4)
    assert (first.perceptual, second.perceptual) == pytest.approx((2.0, -1.0))
    assert (first.identity, second.identity) == pytest.approx((-0.5, 0.25))
    assert first.lpips is first.face_distance is None and not first.face_lost
    assert first.ms_ssim == pytest.approx(float(ms_ssim(renders[0].clamp(-1, 1), targets[:1])))


def test_what_was_not_filmed_is_not_compared():
    outside = torch.zeros(1, 1, 16, 16)
    outside[..., :4, :] = 0.1
    views = Views(torch.zeros(1, 3, 16, 16), look_at(torch.zeros(1), torch.zeros(1)), (0,), (0.0,), outside=outside)
    networks = mock.Mock(spec=Bundle, perceptual=network(lambda a, b: (a - b).abs()), judge=None)
    wrong, above = torch.zeros(2, 1, 3, 16, 16)
    above[..., :4, :] = wrong[..., 4:, :] = 0.5
    (fine,), (bad,) = (evaluate(views, [render], networks, Judges(own=False)) for render in (above, wrong))
    assert fine.mse == fine.perceptual == 0.0 and bad.mse > 0.1


def test_only_judges_that_know_such_pictures_are_asked():
    networks = mock.Mock(spec=Bundle, perceptual=network(lambda a, b: 0 * a), judge=None)
    described, faces = iter([[1.0], [2.0], None]), iter([FaceDistance(0.4), FaceDistance(None, lost=True), FaceDistance(None)])
    judges = Judges(
        own=False,
        faces=mock.Mock(spec=FaceJudge, describe=lambda image: next(described), compare=lambda wanted, render: next(faces)),
        lpips=network(lambda a, b: 0 * a + 0.25),
    )
    views = Views(torch.zeros(3, 3, 16, 16), look_at(torch.zeros(3), torch.zeros(3)), (0, 1, 2), (0.0, 0.1, 0.2))
    rows = evaluate(views, [torch.zeros(1, 3, 16, 16)] * 3, networks, judges)
    assert [row.identity for row in rows] == [None] * 3 and [row.lpips for row in rows] == [0.25] * 3
    assert [row.face_distance for row in rows] == [0.4, None, None]
    average = means(rows)
    assert average is not None and average.identity is None and average.face_distance == 0.4 and average.face_lost == 1


def test_judges_look_at_a_view_once_for_several_ways_of_rendering_it():
    looks = []

    def look(image):
        looks.append(float(image.mean()))
        return (image.mean(),)

    lpips = SimpleNamespace(features=look, between=lambda a, b: (a[0] - b[0]).abs()[None])
    bundle = mock.Mock(spec=Bundle, perceptual=lpips, judge=None)
    views = Views(torch.full((2, 3, 16, 16), -0.5), look_at(torch.zeros(2), torch.zeros(2)), (0, 1), (0.0, 0.1))
    ways = [[torch.full((1, 3, 16, 16), value)] * 2 for value in (0.25, 0.5)]
    first, second = evaluate_each(views, ways, bundle, Judges(own=False, lpips=lpips))
    assert looks == [-0.5, 0.25, 0.5] * 2  # the same network is not asked twice either
    assert [row.lpips for row in first] == [row.perceptual for row in first] == [0.75] * 2
    assert [row.lpips for row in second] == [1.0] * 2


def test_means_are_over_frames():
    rows = [FrameMetrics(0, 0.0, 10.0, *values) for values in ((1.0, 20.0, 0.5, 0.2, 0.9), (3.0, 26.0, 0.7, 0.4, 0.5))]
    found = means(rows)
    assert found is not None
    assert (found.mse, found.psnr, found.ms_ssim, found.perceptual, found.identity) == pytest.approx((2.0, 23.0, 0.6, 0.3, 0.7))
    assert found.lpips is found.face_distance is None and found.face_lost == 0
    assert means([]) is None
