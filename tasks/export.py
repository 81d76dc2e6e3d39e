"""Keras to ONNX with its metadata, and how far the two runtimes agree."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tasks.device import cpu
from tasks.evaluate import Parity
from tasks.files import whole_file
from tasks.network import SIDE, keras, tf
from tasks.reader import INPUT, OUTPUT, Reader

OPSET = 18  # the highest that tf2onnx 1.17 writes
ANY_COUNT = "N"  # name of the dimension that takes any number of pictures
PARITY_BATCHES = [256, 7]  # neither divides 1,000, so each ends on a batch of another size


def to_onnx(model: keras.Model, path: Path, metadata: dict[str, str]) -> None:
    """Write the float32 model as one checked ONNX file: `images` to `probabilities`, any N.

    Args:
        model: uint8 (N, 28, 28) to float32 (N, 10), as `tasks.network.build` makes it.
        path: the file; it appears whole or not at all.
        metadata: put into the file's properties, where `Reader` looks for the version.
    """
    proto = _converted(model)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = ANY_COUNT
    onnx.helper.set_model_props(proto, metadata)
    onnx.checker.check_model(proto, full_check=True)
    with whole_file(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())


def _converted(model: keras.Model) -> Any:
    import tf2onnx  # here, because it brings its own logging and is needed for this alone

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    signature = [tf.TensorSpec((None, SIDE, SIDE), tf.uint8, name=INPUT)]
    answer = tf.function(
        lambda images: {OUTPUT: model(images, training=False)}, input_signature=signature
    )
    proto, _ = tf2onnx.convert.from_function(answer, input_signature=signature, opset=OPSET)
    return proto


def parity(model: keras.Model, onnx_path: Path, images: NDArray[np.uint8]) -> Parity:
    """Compare Keras and the ONNX file, on the CPU, on the same pictures at two batch sizes.

    Args:
        model: the Keras model.
        onnx_path: the file made from it.
        images: uint8 (N, 28, 28).
    """
    reader = Reader(onnx_path, cpu())
    same, differences = True, [0.0]
    for size in PARITY_BATCHES:
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            expected, found = np.asarray(model(batch, training=False)), reader.probabilities(batch)
            same &= bool((expected.argmax(1) == found.argmax(1)).all())
            differences.append(np.abs(expected - found).max())
    return Parity(len(images), PARITY_BATCHES, same, float(np.max(differences)))  # NaN if any is
