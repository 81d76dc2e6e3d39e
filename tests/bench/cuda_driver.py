"""The NVIDIA driver through its own two libraries, with nothing but Python's ctypes.

Functions and structures are those of cuda.h and nvml.h.
"""

import contextlib
import ctypes
from typing import Any

SUCCESS, NOT_READY = 0, 600
BLOCKING_SYNC = 1
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76
UNKNOWN_MEMORY = 2**64 - 1


class NoGpu(Exception):
    """There is no NVIDIA GPU here; the message says what was found instead."""


class DriverError(Exception):
    """The driver has a GPU and refused a call; the message holds its word for why."""


class Driver:
    """The CUDA driver on its first GPU, in the context that ONNX Runtime uses too."""

    def __init__(self) -> None:
        """Start the driver.

        Raises:
            NoGpu: there is no driver, or it has no GPU.
        """
        try:
            self._library = ctypes.CDLL("libcuda.so.1")
        except OSError:
            raise NoGpu("no NVIDIA driver (libcuda.so.1 is not on this machine)") from None
        if code := self._library.cuInit(0):
            raise NoGpu(f"the NVIDIA driver does not start (cuInit gave error {code})")
        count = ctypes.c_int()
        if self._library.cuDeviceGetCount(ctypes.byref(count)) != SUCCESS or not count.value:
            raise NoGpu("the NVIDIA driver sees no GPU (is CUDA_VISIBLE_DEVICES empty?)")
        context = ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
        self.call("cuCtxSetCurrent", context)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver; DriverError with the driver's word for it if it fails."""
        if code := getattr(self._library, name)(*arguments):
            word = ctypes.c_char_p()
            self._library.cuGetErrorName(code, ctypes.byref(word))
            raise DriverError(f"{name} gave {(word.value or b'error').decode()} ({code})")

    def text(self, name: str) -> str:
        """Return what cuDeviceGetName or cuDeviceGetPCIBusId says."""
        buffer = ctypes.create_string_buffer(256)
        self.call(name, buffer, len(buffer), 0)
        return buffer.value.decode(errors="replace")

    def capability(self) -> str:
        """Return the compute capability, as in 9.0."""
        number = ctypes.c_int()
        parts = []
        for attribute in (CAPABILITY_MAJOR, CAPABILITY_MINOR):
            self.call("cuDeviceGetAttribute", ctypes.byref(number), attribute, 0)
            parts.append(str(number.value))
        return ".".join(parts)

    def cuda_version(self) -> str:
        """Return the newest CUDA that the driver can run, as in 13.0."""
        version = ctypes.c_int()
        self.call("cuDriverGetVersion", ctypes.byref(version))
        return f"{version.value // 1000}.{version.value % 1000 // 10}"

    def memory(self) -> tuple[int, int]:
        """Return the free and the total memory of the GPU, bytes."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value

    def stream(self) -> ctypes.c_void_p:
        """Return a new stream: work in it runs in order."""
        stream = ctypes.c_void_p()
        self.call("cuStreamCreate", ctypes.byref(stream), 0)
        return stream

    def hold(self, stream: ctypes.c_void_p, milliseconds: int) -> None:
        """Let the stream wait; libc's own usleep does it, so that Python's lock plays no part."""
        sleep = ctypes.cast(ctypes.CDLL(None).usleep, ctypes.c_void_p)
        self.call("cuLaunchHostFunc", stream, sleep, ctypes.c_void_p(milliseconds * 1_000))

    def event(self, stream: ctypes.c_void_p) -> ctypes.c_void_p:
        """Return a new event that notes the GPU's clock when the stream gets there."""
        event = ctypes.c_void_p()
        self.call("cuEventCreate", ctypes.byref(event), BLOCKING_SYNC)
        self.call("cuEventRecord", event, stream)
        return event

    def pending(self, event: ctypes.c_void_p) -> bool:
        """Tell whether the stream has still to get to an event."""
        return bool(self._library.cuEventQuery(event) == NOT_READY)

    def elapsed_ms(self, begin: ctypes.c_void_p, end: ctypes.c_void_p) -> float:
        """Wait for the second event and return the GPU's milliseconds between the two."""
        elapsed = ctypes.c_float()
        self.call("cuEventSynchronize", end)
        self.call("cuEventElapsedTime", ctypes.byref(elapsed), begin, end)
        return elapsed.value


class Utilisation(ctypes.Structure):
    """nvmlUtilization_t."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Process(ctypes.Structure):
    """nvmlProcessInfo_t, as nvmlDeviceGetComputeRunningProcesses_v3 fills it."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("memory", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class Monitor:
    """The driver's monitoring library; what it does not tell (MIG, containers) it says in words."""

    def __init__(self, pci_bus_id: str) -> None:
        """Open it for one GPU."""
        self._library: ctypes.CDLL | None = None
        self._gpu = ctypes.c_void_p()
        with contextlib.suppress(OSError):
            library = ctypes.CDLL("libnvidia-ml.so.1")
            if library.nvmlInit_v2() == SUCCESS:
                library.nvmlErrorString.restype = ctypes.c_char_p
                library.nvmlDeviceGetHandleByPciBusId_v2(
                    pci_bus_id.encode(), ctypes.byref(self._gpu)
                )
                self._library = library

    def driver_version(self) -> str:
        """Return the driver's version, as in 580.65.06."""
        version = ctypes.create_string_buffer(80)
        refusal = self._ask("nvmlSystemGetDriverVersion", version, len(version))
        return refusal or version.value.decode()

    def utilisation(self) -> str:
        """Return how much of the last moment the GPU computed."""
        share = Utilisation()
        refusal = self._ask("nvmlDeviceGetUtilizationRates", self._gpu, ctypes.byref(share))
        return refusal or f"{share.gpu} % of the time in kernels"

    def processes(self) -> str:
        """Return the processes that compute on the GPU; a container may see other numbers."""
        count = ctypes.c_uint(64)
        found = (Process * count.value)()
        refusal = self._ask(
            "nvmlDeviceGetComputeRunningProcesses_v3", self._gpu, ctypes.byref(count), found
        )
        return refusal or ", ".join(_process(one) for one in found[: count.value]) or "none listed"

    def _ask(self, name: str, *arguments: Any) -> str:
        """Return why there is no answer, or nothing when there is one."""
        if self._library is None:
            return "unknown (libnvidia-ml.so.1 does not start)"
        if code := getattr(self._library, name)(*arguments):
            return f"unknown ({self._library.nvmlErrorString(code).decode()})"
        return ""


def _process(one: Process) -> str:
    known = one.memory != UNKNOWN_MEMORY
    return (
        f"process {one.pid} with {one.memory / 2**20:,.0f} MiB" if known else f"process {one.pid}"
    )
