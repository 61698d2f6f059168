import pytest

from inv3d.core.encoders.kinds import E3DGE, INGREDIENTS, PREIM3D, WTRI, check_ingredients, ingredients
from inv3d.core.errors import UsageError


def test_every_recipe_has_its_own_ingredients():
    for recipe, names in INGREDIENTS.items():
        check_ingredients(recipe, names)
        assert f"of {recipe}: {names[0]}" in ingredients()
    check_ingredients(PREIM3D, [])


@pytest.mark.parametrize(
    ("recipe", "name", "hint"),
    [(WTRI, "geometry", "planes, cycle"), (E3DGE, "cycle", "geometry, local"), (PREIM3D, "cycle", "alternating, around")],
)
def test_those_of_other_recipes_are_refused(recipe, name, hint):
    with pytest.raises(UsageError, match=f"the recipe {recipe} has no ingredient '{name}'") as caught:
        check_ingredients(recipe, [name])
    assert hint in caught.value.hint
