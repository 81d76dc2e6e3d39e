"""On what TensorFlow trains: the device, having tried it, and the precision that it gains from."""

from contextlib import suppress

from tasks.device import Device, cpu, nvidia_gpu
from tasks.errors import DeviceError
from tasks.settings.base import DeviceChoice
from tasks.training.network import quiet_start, tf

BFLOAT16_CAPABILITY = (8, 0)  # first NVIDIA compute capability whose tensor cores take bfloat16


def training_device(choice: DeviceChoice) -> Device:
    """Return the device TensorFlow will train on, having tried it.

    `auto` takes a GPU that computes and the CPU otherwise; `cpu` hides the GPUs.

    Raises:
        DeviceError: `cuda` was asked for and cannot run; the message holds the cause.
    """
    if choice != "cpu":
        gpu = _usable_gpu()
        if isinstance(gpu, Device):
            return gpu
        if choice == "cuda":
            raise DeviceError(
                f"--device cuda: {gpu}. Run `digitflow doctor` for what is missing, "
                "or use --device auto or cpu."
            )
    with suppress(RuntimeError):  # already running with a GPU: fit() places its work by name
        tf.config.set_visible_devices([], "GPU")
    return cpu()


def _usable_gpu() -> Device | str:
    """Return the first GPU after a convolution on it, or why there is none, in words."""
    gpu = nvidia_gpu()
    if isinstance(gpu, str):
        return gpu
    if not tf.test.is_built_with_cuda():
        return f"{gpu.name} is there, but this TensorFlow was built without CUDA"
    with quiet_start():
        visible = tf.config.list_physical_devices("GPU")
        if not visible:
            return (
                f"{gpu.name} is there, but TensorFlow cannot load its CUDA libraries "
                "(pip install 'digitflow[gpu]')"
            )
        try:
            for each in visible:
                tf.config.experimental.set_memory_growth(each, True)
            with tf.device("/GPU:0"):
                tf.nn.conv2d(tf.ones((1, 8, 8, 1)), tf.ones((3, 3, 1, 1)), 1, "VALID").numpy()
        except (tf.errors.OpError, RuntimeError) as error:
            return f"{gpu.name} is there, but TensorFlow cannot compute on it ({error})"
    return gpu


def precision(device: Device) -> str:
    """Return the Keras dtype policy: bfloat16 where there are instructions for it, else float32."""
    if device.kind == "cpu":
        gains = any(feature in device.detail for feature in ("bfloat16", "AMX"))
    else:
        gpu = tf.config.list_physical_devices("GPU")[0]
        details = tf.config.experimental.get_device_details(gpu)
        gains = details.get("compute_capability", (0, 0)) >= BFLOAT16_CAPABILITY
    return "mixed_bfloat16" if gains else "float32"
