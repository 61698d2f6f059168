import pytest
import torch

from inv3d.core.people.basis import SHAPES
from inv3d.core.people.parameters import PARAMETER_NAMES, Parameters
from inv3d.core.training.attributes import (
    PEOPLE_ATTRIBUTES,
    PEOPLE_TRAITS,
    Attribute,
    measured_attributes,
)
from inv3d.core.training.directions import find_directions
from inv3d.core.training.source import PEOPLE
from tests.core.people.standin import standin_basis

DIMENSIONS = 200


class Linear:
    """A generator whose codes are parameters in units of their deviation, mixed by an orthogonal matrix."""

    z_dim = PEOPLE.identity_dim + PEOPLE.expression_dim
    device = torch.device("cpu")

    def __init__(self) -> None:
        random = torch.Generator().manual_seed(3)
        count = len(PARAMETER_NAMES)
        self.mixed = torch.linalg.qr(torch.randn(DIMENSIONS, count, generator=random))[0]
        self.scale = self.drawn(torch.randn(2000, self.z_dim, generator=random)).std(0) + 1e-6

    def drawn(self, z: torch.Tensor) -> torch.Tensor:
        return PEOPLE.parameters(z[:, : PEOPLE.identity_dim], z[:, PEOPLE.identity_dim :])

    def mapping(self, z: torch.Tensor) -> torch.Tensor:
        return (self.drawn(z) / self.scale @ self.mixed.T)[:, None]

    def moved(self, step: torch.Tensor) -> dict[str, float]:
        """Parameters that a step of the code moves by more than a twentieth of their deviation."""
        change = self.mixed.T @ step
        return {name: float(x) for name, x in zip(PARAMETER_NAMES, change, strict=True) if abs(x) > 0.05}


@pytest.fixture(scope="module")
def linear():
    return Linear()


def one(name: str) -> Attribute:
    return next(each for each in PEOPLE_ATTRIBUTES if each.name == name)


def test_a_direction_moves_its_attribute_alone(linear):
    smile, beard = find_directions(linear, [one("smile"), one("beard")], 3000)
    assert set(linear.moved(smile.step)) == {"smile"} and smile.span == "shape"
    assert linear.moved(smile.step)["smile"] == pytest.approx(1.0, abs=0.03)
    assert set(linear.moved(beard.step)) == {"chin_beard", "cheek_beard", "moustache"}


def test_what_belongs_to_an_attribute_follows_it(linear):
    (age,) = find_directions(linear, [one("age")], 3000)
    moved = linear.moved(age.step)
    assert {"age", "wrinkles", "hair_colour_b"} <= set(moved) and age.span is None
    assert all(name.startswith((*one("age").follows, "age")) for name in moved)


def test_the_reading_is_the_attribute_in_deviations(linear):
    (skin,) = find_directions(linear, [one("dark-skin")], 3000)
    z = torch.randn(500, linear.z_dim, generator=torch.Generator().manual_seed(9))
    read = torch.tensor([skin.reading(code) for code in linear.mapping(z)])
    true = Parameters(linear.drawn(z)).melanin[:, 0]
    assert float(torch.corrcoef(torch.stack([read, true]))[0, 1]) > 0.99
    assert float(read.std()) == pytest.approx(1.0, abs=0.1) and skin.span == "looks"
    assert skin.low < -1.0 < 1.5 < skin.high


@pytest.mark.parametrize("attribute", PEOPLE_ATTRIBUTES, ids=lambda attribute: attribute.name)
def test_attributes_name_parameters_that_there_are(attribute):
    assert set(attribute.parts) <= set(PARAMETER_NAMES)
    for beginning in (*attribute.follows, *attribute.holds):
        assert any(name.startswith(beginning) for name in PARAMETER_NAMES)


def test_forms_are_measured_on_the_surface():
    found = measured_attributes(standin_basis())
    assert len(found) > 5 and len({each.name for each in found}) == len(found)
    for each in found:
        assert set(each.parts) == {f"shape_{i}" for i in range(SHAPES)}


def test_a_trait_is_the_part_of_a_difference_that_its_parameters_make(linear):
    z = torch.randn(40, linear.z_dim, generator=torch.Generator().manual_seed(8))
    own, other = linear.drawn(z).split(20)
    hair = next(trait for trait in PEOPLE_TRAITS if trait.name == "hair")
    mixed = own.clone()
    mixed[:, sorted(hair.columns)] = other[:, sorted(hair.columns)]
    codes = [each / linear.scale @ linear.mixed.T for each in (own, other, mixed)]
    parts = find_directions(linear, [], 6000, shared=[hair]).traits
    assert [part.span for part in parts] == ["shape", "looks"]
    taken = torch.stack([torch.stack([part.part(b - a) for part in parts]).sum(0) for a, b in zip(*codes[:2], strict=True)])
    assert float((taken - (codes[2] - codes[0])).norm() / (codes[2] - codes[0]).norm()) < 0.1


def test_traits_share_no_parameters():
    columns = [column for trait in PEOPLE_TRAITS for column in trait.columns]
    assert len(columns) == len(set(columns)) and all(trait.columns for trait in PEOPLE_TRAITS)
    left = {name for i, name in enumerate(PARAMETER_NAMES) if i not in columns}
    assert left <= {"iris_colour_r", "iris_colour_g", "iris_colour_b"}
