import pytest

from inv3d import budget, memory
from inv3d.core.errors import OutOfMemoryError
from inv3d.core.generator import GeneratorConfig


@pytest.fixture
def free(monkeypatch):
    """Sets how much memory is free, in GB."""
    return lambda gigabytes: monkeypatch.setattr(memory, "free_memory", lambda: int(gigabytes * 1e9))


def test_the_hint_says_what_fits(demo, free):
    free(1.0)
    for refuse in (
        lambda size: budget.require_pictures(demo.info, size, 5),
        lambda size: budget.require_source(size, 5, 5),
        budget.require_mesh,
    ):
        with pytest.raises(OutOfMemoryError) as caught:
            refuse(8192)
        fits = int(caught.value.hint.split()[1])
        assert 100 < fits < 8192
        refuse(fits)
        with pytest.raises(OutOfMemoryError):
            refuse(fits + 1)


def test_ordinary_work_fits_an_ordinary_machine(demo, free):
    free(4.0)
    budget.require_pictures(demo.info, None, 5)
    budget.require_pictures(demo.info, 128, 72, together=3)
    budget.require_mesh(256, 2048)
    budget.require_head(demo.info, fit=True)


def test_large_models_need_more(demo, free):
    large = demo.info.model_copy(update={"generator": GeneratorConfig()})
    free(3.0)
    budget.require_head(demo.info, fit=True)
    with pytest.raises(OutOfMemoryError, match="needs about"):
        budget.require_head(large, fit=True)


def test_a_large_texture_counts(free):
    free(4.0)
    budget.require_mesh(144, 4096)
    with pytest.raises(OutOfMemoryError, match="mesh"):
        budget.require_mesh(144, 8192)


@pytest.mark.parametrize(("texture", "hint"), [(0, "close other programs"), (8192, "close other programs, or use a smaller --texture")])
def test_a_texture_is_named_only_where_there_is_one(free, texture, hint):
    free(0.4)
    with pytest.raises(OutOfMemoryError) as caught:
        budget.require_mesh(16, texture)
    assert caught.value.hint == hint
