import pytest
import torch

from inv3d.core.camera import Camera, look_at


@pytest.fixture
def cameras() -> Camera:
    """Two cameras that look at a head from either side."""
    return look_at(torch.tensor([0.3, -0.8]), torch.tensor([0.1, 0.0]))
