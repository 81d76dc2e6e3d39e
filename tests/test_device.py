"""The device is what was asked for, or an error with the cause."""

import os

import pytest

from tasks.device import (
    Device,
    cpu,
    cuda_provider_problem,
    nvidia_gpu,
    reading_device,
    usable_cores,
)
from tasks.errors import DeviceError

gpu_reads = isinstance(nvidia_gpu(), Device) and cuda_provider_problem() is None


def test_the_cpu_is_named_with_its_usable_cores() -> None:
    assert reading_device("cpu") == cpu()
    assert cpu().kind == "cpu"
    assert cpu().name
    assert f"{usable_cores()} cores" in cpu().detail
    assert str(cpu()).startswith(f"cpu: {cpu().name} (")


def test_cores_that_this_process_may_not_use_are_not_counted() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.skipif(gpu_reads, reason="here a GPU can read")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_an_error_with_its_cause() -> None:
    gpu = nvidia_gpu()
    cause = gpu if isinstance(gpu, str) else cuda_provider_problem()
    assert reading_device("auto") == cpu()
    with pytest.raises(DeviceError, match=r"--device cuda: .*digitflow doctor") as error:
        reading_device("cuda")
    assert str(cause) in str(error.value)


@pytest.mark.skipif(not gpu_reads, reason="no GPU that can read here")
def test_with_a_gpu_auto_and_cuda_are_it() -> None:
    assert reading_device("auto") == reading_device("cuda") == nvidia_gpu()
