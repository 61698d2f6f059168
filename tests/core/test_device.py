import pytest
import torch

from inv3d.core.device import choose_device
from inv3d.core.errors import UsageError


def test_auto_gives_a_device_and_a_reason():
    choice = choose_device()
    assert choice.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choice.reason


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "mps", ""])
def test_devices_that_are_not_there_are_refused(name):
    with pytest.raises(UsageError, match="device"):
        choose_device(name)
