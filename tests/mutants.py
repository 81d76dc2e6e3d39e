"""Good models broken on purpose, on the graph of their ONNX file, to try the gate with."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from tasks.imaging.form import Kind
from tasks.inference.session import CALIBRATION

Mutate = Callable[[ModelProto], None]
MIB = 2**20


def mutant(good: Path, path: Path, mutate: Mutate, version: str = "mutant") -> Path:
    """Write a good model with one change and a version of its own."""
    model = onnx.load(good)
    mutate(model)
    for entry in model.metadata_props:
        if entry.key == "version":
            entry.value = version
    onnx.save(model, path)
    return path


def unchanged(model: ModelProto) -> None:
    """Leave everything as it is: an equal model."""


def perturbed_weight(model: ModelProto) -> None:
    """Change one weight of the logits a little."""
    [(name, weights)] = [pair for pair in _weights(model).items() if 10 in pair[1].shape]
    weights.flat[np.abs(weights).argmax()] *= 1.5
    _replace(model, name, weights)


def nan_weight(model: ModelProto) -> None:
    """Make one weight of the largest layer no number."""
    name, weights = max(_weights(model).items(), key=lambda pair: pair[1].size)
    weights.flat[0] = np.nan
    _replace(model, name, weights)


def transposed_input(model: ModelProto) -> None:
    """Take the picture by columns instead of rows."""
    _before_all(model, "Transpose", perm=[0, 2, 1])


def wrong_scaling(model: ModelProto) -> None:
    """Divide the pixels by half of 255: as easily forgotten as it is hard to see."""
    scalars = {
        one.name: numpy_helper.to_array(one) for one in model.graph.initializer if not one.dims
    }
    [name] = [name for name, value in scalars.items() if np.isclose(value, 1 / 255)]
    _replace(model, name, np.array(2 / 255, np.float32))


def swapped_labels(model: ModelProto) -> None:
    """Say 9 for 4 and 4 for 9."""
    order = np.array([0, 1, 2, 3, 9, 5, 6, 7, 8, 4])
    _after(model, "probabilities", "Gather", order, axis=1)


def too_sure(model: ModelProto) -> None:
    """Make the logits ten times as large."""
    _before(model, "probabilities", "Mul", np.array(10, np.float32))


def everything_is_a_digit(model: ModelProto) -> None:
    """Raise every digit score to nearly 1."""
    _after(model, "digit_score", "Max", np.array([0.9999], np.float32))


def answers_by_the_batch(model: ModelProto) -> None:
    """Let the logits depend on the other pictures of a batch."""
    softmax = _maker(model, "probabilities")
    logits = softmax.input[0]
    mean = helper.make_node("ReduceMean", [logits, "batch_axis"], ["of_batch"], keepdims=1)
    less = helper.make_node("Sub", [logits, "of_batch"], ["less"])
    softmax.input[0] = "less"
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "batch_axis"))
    _insert(model, softmax, [mean, less])


def too_large(model: ModelProto) -> None:
    """Carry nine MiB that nothing needs."""
    ballast = np.random.default_rng(0).random(9 * MIB // 4, np.float32)
    _after(model, "probabilities", "Add", np.zeros(1, np.float32))
    model.graph.initializer.append(numpy_helper.from_array(ballast, "ballast"))


def promises_clean_pictures_alone(model: ModelProto) -> None:
    """Say that of all other kinds of pictures every second one is wrong, however sure."""
    [entry] = [one for one in model.metadata_props if one.key == CALIBRATION]
    facts = json.loads(entry.value)
    for kind, curve in facts["kinds"].items():
        if kind != Kind.CLEAN:
            curve["wrong"] = [accepted // 2 for accepted in curve["accepted"]]
    entry.value = json.dumps(facts)


def odd_answers(picture: NDArray[np.uint8], value: float) -> Mutate:
    """Return what adds a value to the probabilities of one picture."""

    def mutate(model: ModelProto) -> None:
        maker = _maker(model, "probabilities")
        maker.output[0] = "before"
        constants = {
            "odd": picture[None].astype(np.float32),
            "picture_axes": np.array([1, 2]),
            "zero": np.array(0, np.float32),
            "one": np.array([1]),
            "value": np.array(value, np.float32),
        }
        nodes = [
            helper.make_node("Cast", ["images"], ["as_float"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Sub", ["as_float", "odd"], ["difference"]),
            helper.make_node("Abs", ["difference"], ["distance"]),
            helper.make_node("ReduceSum", ["distance", "picture_axes"], ["far"], keepdims=0),
            helper.make_node("Equal", ["far", "zero"], ["is_odd"]),
            helper.make_node("Where", ["is_odd", "value", "zero"], ["more"]),
            helper.make_node("Unsqueeze", ["more", "one"], ["column"]),
            helper.make_node("Add", ["before", "column"], ["probabilities"]),
        ]
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())

    return mutate


def one_answer_for_all(model: ModelProto) -> None:
    """Give one row of probabilities, however many pictures come."""
    axes = np.array([0])
    _after(model, "probabilities", "ReduceMax", axes, keepdims=1)


def never_ends(least: int) -> Mutate:
    """Return what loops for ever over batches of so many pictures or more."""

    def mutate(model: ModelProto) -> None:
        maker = _maker(model, "probabilities")
        maker.output[0] = "before"
        body = helper.make_graph(
            [
                helper.make_node("Identity", ["going"], ["go_on"]),
                helper.make_node("Identity", ["value"], ["same"]),
            ],
            "body",
            [
                helper.make_tensor_value_info("turn", onnx.TensorProto.INT64, []),
                helper.make_tensor_value_info("going", onnx.TensorProto.BOOL, []),
                helper.make_tensor_value_info("value", onnx.TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("go_on", onnx.TensorProto.BOOL, []),
                helper.make_tensor_value_info("same", onnx.TensorProto.FLOAT, None),
            ],
        )
        constants = {
            "least": np.array(least),
            "for_ever": np.array(np.iinfo(np.int64).max),
            "never": np.array(0),
            "true": np.array(True),
        }
        model.graph.node.extend(
            [
                helper.make_node("Shape", ["images"], ["count"], start=0, end=1),
                helper.make_node("Squeeze", ["count"], ["pictures"]),
                helper.make_node("GreaterOrEqual", ["pictures", "least"], ["many"]),
                helper.make_node("Where", ["many", "for_ever", "never"], ["turns"]),
                helper.make_node("Loop", ["turns", "true", "before"], ["probabilities"], body=body),
            ]
        )
        model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())

    return mutate


def learned_by_heart(images: NDArray[np.uint8], labels: NDArray[np.int8]) -> Mutate:
    """Return what answers with the label of the most similar of these pictures, and gives no score.

    On these very pictures it is never wrong; a stranger's hand is another matter.
    """
    most = int(np.bincount(labels, minlength=10).max())
    memory = np.zeros((28 * 28, 10 * most), np.float32)
    for digit in range(10):
        flat = images[labels == digit].reshape(-1, 28 * 28).astype(np.float32)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        memory[:, digit * most : digit * most + len(flat)] = flat.T
    constants = {
        "memory": memory,
        "by_digit": np.array([-1, 10, most]),
        "two": np.array([2]),
        "steep": np.array(300, np.float32),
        "tiny": np.array(1e-3, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("LpNormalization", ["flat"], ["unit"], axis=1, p=2),
        helper.make_node("MatMul", ["unit", "memory"], ["likeness"]),
        helper.make_node("Reshape", ["likeness", "by_digit"], ["sorted"]),
        helper.make_node("ReduceMax", ["sorted", "two"], ["best"], keepdims=0),
        helper.make_node("Mul", ["best", "steep"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]

    def mutate(model: ModelProto) -> None:
        graph = model.graph
        kept = [value for value in graph.output if value.name == "probabilities"]
        for part in (graph.node, graph.initializer, graph.output, graph.value_info):
            del part[:]
        graph.node.extend(nodes)
        graph.output.extend(kept)
        graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())

    return mutate


def _weights(model: ModelProto) -> dict[str, NDArray[np.float32]]:
    return {
        one.name: numpy_helper.to_array(one).copy()
        for one in model.graph.initializer
        if one.data_type == onnx.TensorProto.FLOAT and len(one.dims) > 1
    }


def _replace(model: ModelProto, name: str, value: NDArray[np.float32]) -> None:
    [old] = [one for one in model.graph.initializer if one.name == name]
    old.CopyFrom(numpy_helper.from_array(value, name))


def _maker(model: ModelProto, output: str) -> NodeProto:
    [node] = [node for node in model.graph.node if output in node.output]
    return node


def _insert(model: ModelProto, before: NodeProto, nodes: list[NodeProto]) -> None:
    at = list(model.graph.node).index(before)
    for place, node in enumerate(nodes):
        model.graph.node.insert(at + place, node)


def _before_all(model: ModelProto, operator: str, **attributes: list[int]) -> None:
    """Let one more operator work on what the first one gives."""
    first = model.graph.node[0]
    given = first.output[0]
    first.output[0] = "as_given"
    node = helper.make_node(operator, ["as_given"], [given], **attributes)
    model.graph.node.insert(1, node)


def _before(model: ModelProto, output: str, operator: str, constant: NDArray[np.float32]) -> None:
    """Let one more operator work on what an output is made from."""
    maker = _maker(model, output)
    node = helper.make_node(operator, [maker.input[0], "added"], ["before"])
    model.graph.initializer.append(numpy_helper.from_array(constant, "added"))
    _insert(model, maker, [node])
    maker.input[0] = "before"


def _after(
    model: ModelProto, output: str, operator: str, constant: NDArray[np.generic], **more: int
) -> None:
    """Let one more operator make an output."""
    maker = _maker(model, output)
    maker.output[0] = "before"
    model.graph.node.append(helper.make_node(operator, ["before", "added"], [output], **more))
    model.graph.initializer.append(numpy_helper.from_array(constant, "added"))
