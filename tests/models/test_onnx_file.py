"""ONNX files: the same answers as the model they were made from, and none that surprise."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from reticent.errors import MissingExtra, ModelError, UsageError
from reticent.models import OnnxModel, Target, tokenized

DRAW = np.random.default_rng(4)
X = DRAW.normal(size=(10, 3)).astype(np.float32)
WEIGHTS = DRAW.normal(size=(3, 2)).astype(np.float32)
ML = helper.make_opsetid("ai.onnx.ml", 1)
OPS = helper.make_opsetid("", 17)


def tensor(name, kind, *shape):
    return helper.make_tensor_value_info(name, kind, shape)


def saved(path, nodes, inputs, outputs, constants=(), opsets=(OPS, ML)):
    graph = helper.make_graph(nodes, "made up", inputs, outputs, list(constants))
    onnx.save(helper.make_model(graph, opset_imports=list(opsets), ir_version=8), path)
    return path


def product(path, *, first=None, kind=TensorProto.FLOAT, outputs=(), nodes=()):
    """x @ WEIGHTS."""
    weights = numpy_helper.from_array(WEIGHTS, "w")
    matmul = [helper.make_node("MatMul", ["z", "w"], ["y"])]
    cast = [helper.make_node("Cast", ["x"], ["z"], to=TensorProto.FLOAT)]
    shown = outputs or [tensor("y", TensorProto.FLOAT, first, 2)]
    return saved(path, [*cast, *matmul, *nodes], [tensor("x", kind, first, 3)], shown, [weights])


def test_a_network_that_torch_exported(tmp_path):
    network = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package says that it is old
        torch.onnx.export(
            network,
            (torch.zeros(1, 3),),
            str(tmp_path / "net.onnx"),
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": {0: "n"}},
        )
    for model in (tmp_path / "net.onnx", str(tmp_path / "net.onnx"), OnnxModel(tmp_path / "net.onnx")):
        target = Target(model, classes=4)
        np.testing.assert_allclose(
            target.log_probabilities(X), Target(network, classes=4).log_probabilities(X), atol=1e-5
        )
        assert target.queries == 10


@pytest.mark.parametrize(
    ("kind", "factor"),
    [(TensorProto.FLOAT, 1), (TensorProto.DOUBLE, 1), (TensorProto.INT64, 1), (TensorProto.INT32, 1)],
)
def test_inputs_of_several_types(tmp_path, kind, factor):
    x = np.rint(X * 5)
    found = OnnxModel(product(tmp_path / "m.onnx", kind=kind)).ask(x)
    np.testing.assert_allclose(found, x @ WEIGHTS, rtol=1e-5)


def test_fractions_are_not_cut_off(tmp_path):
    with pytest.raises(ModelError, match="whole numbers for the input x"):
        OnnxModel(product(tmp_path / "m.onnx", kind=TensorProto.INT64)).ask(X)


@pytest.mark.parametrize("records", [0, 1, 3, 4, 10])
def test_files_that_fix_the_number_of_records(tmp_path, records):
    target = Target(OnnxModel(product(tmp_path / "m.onnx", first=4)), classes=2, answers="logits")
    found = target.log_probabilities(X[:records])
    logits = X[:records].astype(float) @ WEIGHTS
    np.testing.assert_allclose(found, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), atol=1e-5)
    assert found.shape == (records, 2)


def linear(keys, output):
    options = {"coefficients": WEIGHTS.T.ravel().tolist(), "intercepts": [0.0, 0.0], "post_transform": "SOFTMAX"}
    options["classlabels_ints" if isinstance(keys[0], int) else "classlabels_strings"] = keys
    return helper.make_node("LinearClassifier", ["x"], ["label", output], domain="ai.onnx.ml", **options)


def zipped(path, keys):
    """As sklearn-onnx exports a classifier: a label, and a list of dictionaries."""
    kind, name = (TensorProto.INT64, "int64s") if isinstance(keys[0], int) else (TensorProto.STRING, "strings")
    nodes = [
        linear(keys, "p"),
        helper.make_node("ZipMap", ["p"], ["probabilities"], domain="ai.onnx.ml", **{f"classlabels_{name}": keys}),
    ]
    values = helper.make_map_type_proto(kind, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    listed = helper.make_value_info("probabilities", helper.make_sequence_type_proto(values))
    return saved(path, nodes, [tensor("x", TensorProto.FLOAT, None, 3)], [tensor("label", kind, None), listed])


def expected():
    powers = np.exp(X @ WEIGHTS)
    return powers / powers.sum(axis=1, keepdims=True)


def test_lists_of_dictionaries(tmp_path):
    found = Target(zipped(tmp_path / "m.onnx", [0, 1]), classes=2).log_probabilities(X)
    np.testing.assert_allclose(np.exp(found), expected(), atol=1e-6)


def test_classes_that_are_not_numbered_from_zero(tmp_path):
    with pytest.raises(ModelError, match=r"classes 0 to 1 in the answers of m.onnx, got \[3, 7\]"):
        Target(zipped(tmp_path / "m.onnx", [3, 7]), classes=2).log_probabilities(X)
    with pytest.raises(ModelError, match="one output"):
        OnnxModel(zipped(tmp_path / "m.onnx", ["no", "yes"]))


def test_probabilities_beside_labels(tmp_path):
    shown = [tensor("label", TensorProto.INT64, None), tensor("p", TensorProto.FLOAT, None, 2)]
    path = saved(tmp_path / "m.onnx", [linear([0, 1], "p")], [tensor("x", TensorProto.FLOAT, None, 3)], shown)
    np.testing.assert_allclose(np.exp(Target(path, classes=2).log_probabilities(X)), expected(), atol=1e-6)
    labels = Target(OnnxModel(path, output="label"), classes=2, exposure="label")
    np.testing.assert_array_equal(labels.predicted(X), expected().argmax(axis=1))
    with pytest.raises(ModelError, match="labels only"):
        Target(OnnxModel(path, output="label"), classes=2)
    with pytest.raises(UsageError, match="output"):
        OnnxModel(path, output="q")


def test_networks_of_tokens(tmp_path):
    """The sum of the tokens that the mask leaves."""
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["seen"]),
        helper.make_node("Cast", ["seen"], ["z"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["z", "w"], ["y"]),
    ]
    inputs = [tensor(name, TensorProto.INT64, None, 3) for name in ("attention_mask", "input_ids")]
    weights = numpy_helper.from_array(WEIGHTS, "w")
    path = saved(tmp_path / "m.onnx", nodes, inputs, [tensor("y", TensorProto.FLOAT, None, 2)], [weights])
    ids, mask = DRAW.integers(0, 9, (5, 3)), DRAW.integers(0, 2, (5, 3))
    np.testing.assert_allclose(OnnxModel(path).ask(np.stack([ids, mask], axis=1)), (ids * mask) @ WEIGHTS, rtol=1e-5)
    with pytest.raises(ModelError, match="tokenized"):
        OnnxModel(path).ask(ids)
    assert tokenized.__module__ == "reticent.models.text"


def test_files_that_name_other_files(tmp_path):
    path = product(tmp_path / "m.onnx")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(ModelError, match="names other files"):
        OnnxModel(path)
    onnx.save(onnx.load(path), tmp_path / "one.onnx")
    assert OnnxModel(tmp_path / "one.onnx").ask(X).shape == (10, 2)


def test_other_files_named_deep_inside(tmp_path):
    """In a constant of a branch of a condition."""
    value = numpy_helper.from_array(WEIGHTS, "c")
    onnx.external_data_helper.set_external_data(value, location="../secret.bin")
    value.ClearField("raw_data")
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=value)], "branch", [], [tensor("c", TensorProto.FLOAT, 3, 2)]
    )
    node = helper.make_node("If", ["b"], ["y"], then_branch=branch, else_branch=branch)
    path = saved(
        tmp_path / "m.onnx", [node], [tensor("b", TensorProto.BOOL, 1)], [tensor("y", TensorProto.FLOAT, 3, 2)]
    )
    with pytest.raises(ModelError, match="names other files"):
        OnnxModel(path)


def test_operators_of_somebody_else(tmp_path):
    path = saved(
        tmp_path / "m.onnx",
        [helper.make_node("Run", ["x"], ["y"], domain="evil")],
        [tensor("x", TensorProto.FLOAT, None, 3)],
        [tensor("y", TensorProto.FLOAT, None, 2)],
        opsets=(OPS, helper.make_opsetid("evil", 1)),
    )
    with pytest.raises(ModelError, match=r"own operators in m\.onnx, got evil\.Run"):
        OnnxModel(path)


def test_what_cannot_be_asked(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"nothing like it")
    for path in (tmp_path / "broken.onnx", tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(ModelError, match="Expected"):
            OnnxModel(path)
    add = helper.make_node("Add", ["a", "b"], ["y"])
    two = saved(
        tmp_path / "two.onnx",
        [add],
        [tensor(name, TensorProto.FLOAT, None, 2) for name in "ab"],
        [tensor("y", TensorProto.FLOAT, None, 2)],
    )
    with pytest.raises(ModelError, match="its inputs are a tensor"):
        OnnxModel(two)
    with pytest.raises(ModelError, match=r"records of shape \(4,\), but it said"):
        OnnxModel(product(tmp_path / "m.onnx")).ask(np.zeros((2, 4)))
    both = [tensor(name, TensorProto.FLOAT, None, 2) for name in ("y", "z2")]
    again = helper.make_node("Identity", ["y"], ["z2"])
    path = product(tmp_path / "b.onnx", outputs=both, nodes=[again])
    with pytest.raises(ModelError, match="one output"):
        OnnxModel(path)
    assert OnnxModel(path, output="z2").ask(X).shape == (10, 2)


def test_without_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"reticent\[onnx\]"):
        Target("model.onnx", classes=2)
