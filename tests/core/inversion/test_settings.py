import dataclasses

from inv3d.core.inversion.settings import FAST, FINE, PAPER_FAST


def drawn(settings):
    return settings.rays_per_view, settings.views_per_step, settings.between_per_step


def test_a_step_of_tuning_draws_fewer_views_and_as_many_rays_of_all():
    settings = dataclasses.replace(FAST, rays_per_view=300, views_per_step=4, between_per_step=2, tuning_views=3, tuning_between=1)
    assert drawn(settings.tuning) == (400, 3, 1) and drawn(settings) == (300, 4, 2)


def test_presets_without_draws_of_their_own_tune_with_the_same():
    for settings in (FINE, PAPER_FAST):
        assert drawn(settings.tuning) == drawn(settings)
