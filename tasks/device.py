"""What this machine can run on, found by looking at the driver and never by guessing."""

import contextlib
import ctypes
import io
import os
import platform
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tasks.errors import DeviceError

if TYPE_CHECKING:  # pydantic takes a third of a worker's start
    from tasks.settings.base import DeviceChoice

CUDA_PROVIDER = "CUDAExecutionProvider"
CPU_PROVIDER = "CPUExecutionProvider"
CUDA_SUCCESS = 0
COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR = 75, 76  # CUdevice_attribute numbers
CPU_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx512_bf16": "bfloat16",
    "amx_bf16": "AMX",
    "asimd": "NEON",
}


@dataclass(frozen=True)
class Device:
    """What work runs on: its kind, its product name, and what matters for speed."""

    kind: Literal["cpu", "cuda"]
    name: str
    detail: str

    def __str__(self) -> str:
        """Return the line a person reads."""
        return f"{self.kind}: {self.name} ({self.detail})"

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values, for cards and reports."""
        return asdict(self)


def usable_cores() -> int:
    """Return how many CPU cores this process may use, which is not always what the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def cpu() -> Device:
    """Return the processor, its usable cores and the instruction sets that speed networks up."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        pairs = (line.partition(":") for line in lines)
        fields = {key.strip(): value.strip() for key, _, value in pairs}
        name = fields.get("model name", name)
        flags = set((fields.get("flags") or fields.get("Features") or "").split())
    features = [title for flag, title in CPU_FEATURES.items() if flag in flags]
    return Device("cpu", name, ", ".join([f"{usable_cores()} cores", *features]))


@cache
def nvidia_gpu() -> Device | str:
    """Return the first NVIDIA GPU as the driver names it, or why there is none, in words."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return f"no NVIDIA driver ({library} is not on this machine)"
    if (code := driver.cuInit(0)) != CUDA_SUCCESS:
        return f"the NVIDIA driver does not start (cuInit gave error {code})"
    count = ctypes.c_int()
    if driver.cuDeviceGetCount(ctypes.byref(count)) != CUDA_SUCCESS or not count.value:
        return "the NVIDIA driver sees no GPU (is CUDA_VISIBLE_DEVICES empty?)"
    return _describe_gpu(driver)


def _describe_gpu(driver: ctypes.CDLL) -> Device:
    name, memory = ctypes.create_string_buffer(256), ctypes.c_size_t()
    major, minor = ctypes.c_int(), ctypes.c_int()
    driver.cuDeviceGetName(name, len(name), 0)
    driver.cuDeviceTotalMem_v2(ctypes.byref(memory), 0)
    driver.cuDeviceGetAttribute(ctypes.byref(major), COMPUTE_CAPABILITY_MAJOR, 0)
    driver.cuDeviceGetAttribute(ctypes.byref(minor), COMPUTE_CAPABILITY_MINOR, 0)
    detail = f"{memory.value / 2**30:.0f} GiB, compute capability {major.value}.{minor.value}"
    return Device("cuda", name.value.decode(errors="replace"), detail)


def reading_device(choice: "DeviceChoice") -> Device:
    """Return the device ONNX Runtime will read on.

    `auto` takes the GPU when its libraries really load, and the CPU otherwise.

    Raises:
        DeviceError: `cuda` was asked for and cannot run; the message holds the cause.
    """
    if choice == "cpu":
        return cpu()
    gpu = nvidia_gpu()
    cause = gpu if isinstance(gpu, str) else cuda_provider_problem()
    if isinstance(gpu, Device) and cause is None:
        return gpu
    if choice == "cuda":
        raise DeviceError(
            f"--device cuda: {cause}. Run `digitflow doctor` for what is missing, "
            "or use --device auto or cpu."
        )
    return cpu()


@cache
def cuda_provider_problem() -> str | None:
    """Return why ONNX Runtime's CUDA provider cannot load here, or None when it does.

    The provider's own library is loaded for the answer: being listed by ONNX Runtime only says
    that it was compiled in.
    """
    import onnxruntime

    if CUDA_PROVIDER not in onnxruntime.get_available_providers():
        return "this onnxruntime has no CUDA provider (install onnxruntime-gpu)"
    with contextlib.redirect_stdout(io.StringIO()):  # it prints each library that it did not find
        onnxruntime.preload_dlls()
    folder = Path(onnxruntime.__file__).parent / "capi"
    prefix, suffix = ("", ".dll") if sys.platform == "win32" else ("lib", ".so")
    try:
        shared = folder / f"{prefix}onnxruntime_providers_shared{suffix}"
        ctypes.CDLL(str(shared), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(folder / f"{prefix}onnxruntime_providers_cuda{suffix}"))
    except OSError as error:
        return f"ONNX Runtime's CUDA provider does not load ({error})"
    return None
