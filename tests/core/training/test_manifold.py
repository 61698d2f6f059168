import pytest
import torch

from inv3d.core.codespace import CodeSpace
from inv3d.core.encoders.pyramid import build_encoder, small_config
from inv3d.core.people.parameters import PARAMETER_NAMES
from inv3d.core.training.attributes import Attribute
from inv3d.core.training.dataset import write_shard
from inv3d.core.training.directions import find_directions
from inv3d.core.training.manifold import codes_of_pictures, manifold_directions
from inv3d.core.training.source import PEOPLE
from tests.core.training.test_directions import DIMENSIONS, Linear, one

SPACE = CodeSpace(4, DIMENSIONS, {"shape": slice(0, 2), "looks": slice(2, 4)})
SKIN, AGE = one("dark-skin"), Attribute("age", "age", {"age": 1.0})


@pytest.fixture(scope="module")
def linear():
    return Linear()


def read_off(linear: Linear, blind: str, leak: float = 0.0, people: int = 1200) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes that an encoder would read: without the parameter `blind`, and with age leaking into the skin."""
    z = torch.randn(people, linear.z_dim, generator=torch.Generator().manual_seed(1))
    parameters = linear.drawn(z)
    seen = (parameters - parameters.mean(0)) / linear.scale
    skin, age = (PARAMETER_NAMES.index(name) for name in ("melanin", "age"))
    codes = seen.clone()
    codes[:, skin] += leak * seen[:, age]
    codes[:, PARAMETER_NAMES.index(blind)] = 0.0
    noise = 0.05 * torch.randn(people, 4, DIMENSIONS, generator=torch.Generator().manual_seed(2))
    return 0.3 * (codes @ linear.mixed.T)[:, None] + noise, parameters


def test_a_direction_has_what_moves_with_it_among_the_codes_that_are_read(linear):
    own = find_directions(linear, [SKIN, AGE], 3000)
    codes, parameters = read_off(linear, "hat", leak=0.4)
    found = manifold_directions(own, [SKIN, AGE], codes, parameters, SPACE)
    moved = linear.moved(found["age"].step)
    assert moved["age"] == pytest.approx(1.0, abs=0.1) and moved["melanin"] == pytest.approx(0.4, abs=0.1)
    assert "age" not in linear.moved(found["dark-skin"].step) and found["dark-skin"].span == "looks"


def test_a_step_changes_as_much_as_one_of_the_generators_own(linear):
    known = find_directions(linear, [SKIN], 3000)
    codes, parameters = read_off(linear, "hat")
    own, found = known["dark-skin"], manifold_directions(known, [SKIN], codes, parameters, SPACE)["dark-skin"]
    assert float(found.step @ own.step / own.step.square().sum()) == pytest.approx(1.0, abs=1e-4)
    assert torch.equal(found.normal, own.normal) and found.limits == own.limits


def test_what_the_encoder_does_not_see_is_left_out(linear):
    own = find_directions(linear, [SKIN, AGE], 3000)
    codes, parameters = read_off(linear, "melanin")
    found = manifold_directions(own, [SKIN, AGE], codes, parameters, SPACE)
    assert [each.name for each in found] == ["age"]


def test_codes_are_read_off_the_pictures_of_faces(tmp_path, monkeypatch):
    encoder = build_encoder(small_config(4, 8))
    monkeypatch.setattr(encoder, "forward", lambda images: (images[:, :1, 0] + 1.0) * 127.5)
    shard = {
        "z": torch.randn(3, PEOPLE.identity_dim), "expression": torch.randn(3, 2, PEOPLE.expression_dim),
        "yaw": torch.tensor([[0.1, 1.5], [-0.4, 0.3], [-1.8, 2.0]]), "pitch": torch.zeros(3, 2),
        "image": torch.arange(6, dtype=torch.uint8).reshape(3, 2, 1, 1, 1).expand(3, 2, 3, 8, 8).contiguous(),
    }  # fmt: skip
    write_shard(tmp_path / "images-0000.safetensors", shard)
    codes, parameters = codes_of_pictures(encoder, tmp_path)
    assert codes[:, 0, 0].round().tolist() == [0.0, 2.0, 3.0]
    wanted = PEOPLE.parameters(shard["z"][[0, 1, 1]], shard["expression"][[0, 1, 1], [0, 0, 1]])
    assert torch.allclose(parameters, wanted)
    with pytest.raises(FileNotFoundError):
        codes_of_pictures(encoder, tmp_path / "none")
