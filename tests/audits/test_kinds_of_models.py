"""`rt.audit` of models of every kind: one classifier, asked in different ways, gives one and the same audit."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from tests.models.serving import serving

import reticent as rt
from reticent.data import Records
from reticent.errors import ModelError
from reticent.models import Endpoint
from reticent.randomness import Randomness

SOURCE = Randomness.simulated(0)
X = SOURCE.normal((120, 40)).astype(np.float32)
RECORDS = Records(X, X[:, 0] + SOURCE.normal(120) > 0)
MEMBERS, OTHERS = RECORDS.take(range(60)), RECORDS.take(range(60, 120))
FITTED = LogisticRegression(C=100.0, max_iter=5000).fit(MEMBERS.features.astype(float), MEMBERS.labels)
WEIGHTS, OFFSET = FITTED.coef_[0], float(FITTED.intercept_[0])


def logits(x):
    margin = np.asarray(x, dtype=float) @ WEIGHTS + OFFSET
    return np.column_stack([np.zeros(len(margin)), margin])


def audited(model, **options):
    return rt.audit(model, MEMBERS, OTHERS, randomness=Randomness.simulated(1), **options)


def as_torch(_):
    network = torch.nn.Linear(40, 1).double()
    with torch.no_grad():
        network.weight.copy_(torch.from_numpy(WEIGHTS[None]))
        network.bias.fill_(OFFSET)
    return network


def as_onnx(folder):
    weights = np.column_stack([np.zeros(40), WEIGHTS]).astype(np.float32)
    constants = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array([0, OFFSET], dtype=np.float32), "b"),
    ]
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])],
        "made up",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 40])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.parametrize("make", [as_torch, as_onnx, lambda folder: str(as_onnx(folder)), lambda _: FITTED])
def test_every_kind_gives_the_same_audit(make, tmp_path):
    expected, found = audited(logits), audited(make(tmp_path))
    assert expected.finding.estimates["auc"].low > 0.5
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3, atol=1e-3)
    assert found.finding.estimates["auc"].value == pytest.approx(expected.finding.estimates["auc"].value, abs=0.003)
    assert found.finding.details["queries"] == expected.finding.details["queries"] == 120


def test_an_endpoint_that_rounds():
    def answer(body):
        p = 1 / (1 + np.exp(-logits(body["inputs"])[:, 1]))
        return {"probabilities": np.column_stack([1 - p, p]).round(2).tolist()}

    with serving(answer) as served:
        there = Endpoint(served.url, budget=120)
        found = audited(there, exposure="scores:2 digits")
        again = audited(there, exposure="label")
    expected = audited(logits, exposure="scores:2 digits")
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-9)
    np.testing.assert_array_equal(again.scores, audited(logits, exposure="label").scores)
    assert found.finding.exposure == "scores:2 digits"
    assert found.finding.details["queries"] == again.finding.details["queries"] == 120
    assert "127.0.0.1" not in str(found.record.body)


def test_cut_off_probabilities_need_to_be_named():
    def rounded(x):
        p = 1 / (1 + np.exp(-logits(x)[:, 1]))
        return np.floor(100 * np.column_stack([1 - p, p])) / 100

    with pytest.raises(ModelError, match="answers='probabilities'"):
        audited(rounded)
    assert audited(rounded, answers="probabilities").finding.estimates["auc"].low > 0.5


def test_a_text_classifier_with_its_tokenizer():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=6,
    )
    model = transformers.BertForSequenceClassification(config)
    ids = np.random.default_rng(0).integers(1, 20, (80, 2, 6))
    ids[:, 1] = 1
    records = Records(ids, np.arange(80) % 2)
    members, others = records.take(range(40)), records.take(range(40, 80))
    found = rt.audit((model, None), members, others, randomness=Randomness.simulated(2))
    assert found.finding.details["queries"] == 80
    assert found.finding.estimates["auc"].contains(0.5)
