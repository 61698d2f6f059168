import dataclasses

import pytest

from inv3d.core.generator.config import GeneratorConfig, eg3d_ffhq


def with_samples(coarse: int, fine: int) -> GeneratorConfig:
    config = eg3d_ffhq()
    return dataclasses.replace(
        config, rendering=dataclasses.replace(config.rendering, coarse_samples=coarse, fine_samples=fine)
    )


@pytest.mark.parametrize(("coarse", "fine"), [(2, 0), (4, 1)])
def test_enough_samples_are_accepted(coarse, fine):
    config = with_samples(coarse, fine)
    assert GeneratorConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(("coarse", "fine"), [(1, 0), (3, 1)])
def test_samples_too_few_for_their_intervals_are_refused(coarse, fine):
    with pytest.raises(ValueError, match="coarse_samples should be at least"):
        GeneratorConfig.from_json(with_samples(coarse, fine).to_json())
