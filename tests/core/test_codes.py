import torch

from inv3d.core.codes import code_statistics, sample_codes


def test_directions_are_the_axes_along_which_codes_vary_most(demo):
    front = demo.info.camera(torch.zeros(1), torch.zeros(1))
    found = code_statistics(demo.generator, front, samples=600, directions=12)
    codes = sample_codes(demo.generator, front, 600)
    assert torch.allclose(found.directions @ found.directions.t(), torch.eye(12), atol=1e-4)
    along = ((codes - codes.mean(0)) @ found.directions.t()).std(0, correction=0)
    assert torch.allclose(along, found.scales, rtol=1e-3) and bool((found.scales.diff() <= 0).all())
    random = torch.nn.functional.normalize(
        torch.randn(len(codes[0]), generator=torch.Generator().manual_seed(0)), dim=0
    )
    assert found.scales[0] > ((codes - codes.mean(0)) @ random).std(correction=0)
    assert torch.allclose(found.mean, codes.mean(0), atol=1e-5)
    assert torch.allclose(found.spread, (codes - codes.mean(0)).square().mean().sqrt())


def test_models_that_need_a_camera_get_the_front(tiny):
    from inv3d.core.camera import look_at

    front = look_at(torch.zeros(1), torch.zeros(1))
    codes = sample_codes(tiny, front, 5)
    assert codes.shape == (5, 512) and torch.equal(codes, sample_codes(tiny, front, 5))
    assert not torch.equal(codes, sample_codes(tiny, look_at(torch.ones(1), torch.zeros(1)), 5))
