"""Keras to calibrated ONNX with its metadata, and how far the two runtimes agree."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tasks.atomic import atomic_write
from tasks.device import cpu
from tasks.inference.model_file import model_in
from tasks.inference.session import INPUT, OUTPUT, SCORE, ModelSession
from tasks.metrics.classification import Parity
from tasks.training.network import DIGIT_LOGIT, LOGITS, SIDE, keras, tf

OPSET = 18  # the highest that tf2onnx 1.17 writes
ANY_COUNT = "N"  # name of the dimension that takes any number of pictures
ANSWER_BATCH = 1_000  # pictures that Keras answers at once
PARITY_BATCHES = [256, 7]  # neither divides 1,000, so each ends on a batch of another size


def raw_answers(
    model: keras.Model, images: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return what calibration needs: float32 (N, 10) logits, and (N,) digit logits if there are.

    Args:
        model: takes uint8 (N, 28, 28), has a layer `logits` and perhaps a layer `digit_logit`.
        images: uint8 (N, 28, 28).
    """
    heads = _heads(model)
    starts = range(0, len(images), ANSWER_BATCH)
    batches = [heads(images[at : at + ANSWER_BATCH], training=False) for at in starts]
    whole = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return whole[LOGITS], whole[DIGIT_LOGIT][:, 0] if DIGIT_LOGIT in whole else None


def _heads(model: keras.Model) -> keras.Model:
    names = {layer.name for layer in model.layers} & {LOGITS, DIGIT_LOGIT}
    return keras.Model(model.inputs[0], {name: model.get_layer(name).output for name in names})


def _calibrated(model: keras.Model, temperature: float) -> Callable[[Any], dict[str, Any]]:
    """Return the function that the file computes: pictures to the outputs of the contract."""
    heads = _heads(model)

    def answer(images: Any) -> dict[str, Any]:
        raw = heads(images, training=False)
        outputs = {OUTPUT: tf.nn.softmax(raw[LOGITS] / temperature)}
        if DIGIT_LOGIT in raw:
            outputs[SCORE] = tf.sigmoid(raw[DIGIT_LOGIT][:, 0])
        return outputs

    return answer


def to_onnx(model: keras.Model, path: Path, metadata: dict[str, str], temperature: float) -> None:
    """Write the float32 model as one checked ONNX file, for any N.

    `images` become `probabilities`, the softmax of the logits by the temperature, and, of a model
    with a digit logit, `digit_score`, its sigmoid.

    Args:
        model: takes uint8 (N, 28, 28), has a layer `logits` and perhaps a layer `digit_logit`.
        path: the file; it appears whole or not at all.
        metadata: put into the file's properties, where `ModelSession` looks for the version.
        temperature: as calibration found it.
    """
    proto = _converted(_calibrated(model, temperature))
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = ANY_COUNT
    onnx.helper.set_model_props(proto, metadata)
    onnx.checker.check_model(proto, full_check=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())


def _converted(function: Callable[[Any], dict[str, Any]]) -> Any:
    import tf2onnx  # here, because it brings its own logging and is needed for this alone

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    signature = [tf.TensorSpec((None, SIDE, SIDE), tf.uint8, name=INPUT)]
    answer = tf.function(function, input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(answer, input_signature=signature, opset=OPSET)
    return proto


def parity(
    model: keras.Model, onnx_path: Path, images: NDArray[np.uint8], temperature: float
) -> Parity:
    """Compare Keras and the ONNX file, on the CPU, on the same pictures at two batch sizes.

    Args:
        model: the Keras model.
        onnx_path: the file made from it.
        images: uint8 (N, 28, 28).
        temperature: by which the file was made.
    """
    reader, in_keras = ModelSession(model_in(onnx_path), cpu()), _calibrated(model, temperature)
    same, differences = True, [0.0]
    for size in PARITY_BATCHES:
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            expected, found = in_keras(batch), reader.answers(batch)
            probabilities = np.asarray(expected[OUTPUT])
            same &= bool((probabilities.argmax(1) == found.probabilities.argmax(1)).all())
            differences.append(np.abs(probabilities - found.probabilities).max())
            if found.digit_scores is not None:
                differences.append(np.abs(expected[SCORE] - found.digit_scores).max())
    return Parity(len(images), PARITY_BATCHES, same, float(np.max(differences)))  # NaN if any is
