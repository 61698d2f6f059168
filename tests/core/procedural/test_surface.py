import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inv3d.core.procedural.parameters import EXPRESSION_DIM, IDENTITY_DIM, PARAMETER_NAMES, head_parameters
from inv3d.core.procedural.surface import signed_distance
from inv3d.core.procedural.toon import TOON
from tests.core.procedural.figures import colours, draw, field, points


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9999))
def test_the_field_never_overstates_distances_by_much(seed):
    """Sphere tracing relies on it: a step of 0.85 times the field must not jump through a surface."""
    parameters, start = draw(TOON, seed), points(seed)
    direction = torch.nn.functional.normalize(
        torch.randn(start.shape, generator=torch.Generator().manual_seed(seed)), dim=-1
    )
    d = field(TOON, start, parameters)
    step = 0.7 * d.clamp(min=0)
    after = field(TOON, start + direction * step[..., None], parameters)
    assert (after[d > 0] < -0.004).float().mean() < 0.002


def test_heads_fill_the_middle_and_leave_the_corners_free():
    parameters = draw(TOON, 1, 20)
    zero = torch.zeros(20, 1)
    assert (signed_distance(zero, zero, zero, parameters) < 0).all()
    assert (signed_distance(zero + 0.36, zero + 0.36, zero + 0.36, parameters) > 0).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9999))
def test_colours_are_colours(seed):
    for channel in colours(TOON, points(seed), draw(TOON, seed)):
        assert (channel > -0.3).all() and (channel < 1.3).all()


def test_expression_changes_the_face_alone():
    random = torch.Generator().manual_seed(3)
    z = torch.randn(1, IDENTITY_DIM, generator=random).repeat(2, 1)
    expression = torch.tensor([[0.0] * EXPRESSION_DIM, [2.0] * EXPRESSION_DIM])
    parameters = head_parameters(z, expression)
    moved = {name for i, name in enumerate(PARAMETER_NAMES) if parameters[0, i] != parameters[1, i]}
    assert moved == {"smile", "jaw_open", "eyes_open", "brow_raise", "gaze_x", "gaze_y"}
    back = torch.tensor([[0.0, 0.1, -0.18]]).repeat(2, 1)[:, None]
    distance = field(TOON, back, parameters)
    assert torch.allclose(distance[0], distance[1], atol=1e-6)


def test_nearby_latents_make_nearby_heads():
    random = torch.Generator().manual_seed(5)
    z, e = torch.randn(50, IDENTITY_DIM, generator=random), torch.zeros(50, EXPRESSION_DIM)
    change = (head_parameters(z + 1e-3, e) - head_parameters(z, e)).abs().amax(0)
    assert (change < 0.05).all()
