"""Training takes the device that was asked for, or says why it cannot."""

import pytest

from tasks.device import Device, nvidia_gpu
from tasks.errors import DeviceError
from tasks.training.device import training_device


def test_cpu_is_the_cpu_also_where_there_is_a_gpu() -> None:
    assert training_device("cpu").kind == "cpu"


@pytest.mark.skipif(isinstance(nvidia_gpu(), Device), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_an_error_with_its_cause_and_auto_is_the_cpu() -> None:
    with pytest.raises(DeviceError, match=r"--device cuda: .*NVIDIA.*--device auto or cpu"):
        training_device("cuda")
    assert training_device("auto").kind == "cpu"
