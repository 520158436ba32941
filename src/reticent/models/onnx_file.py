"""A model in an ONNX file.

Promise: the file runs as it is or is refused, before anything is asked: files that name other files (external data),
operators that are not ONNX's own, and inputs that records cannot fill. Names, types and batch limits are read from the
file.

How: one input takes the features; a network of tokens may take `input_ids`, `attention_mask` and `token_type_ids`,
which are then the second axis of the features, (n, 2 or 3, length), as `reticent.models.tokenized` makes them. If the
file fixes the number of records, they are asked in parts of that many, the last one filled up. Answers are the output
that is named; else the only one of floating-point numbers, or scikit-learn's list of dictionaries (ZipMap), whose
classes must be whole numbers; else whole numbers, which are labels.

Runs on the processor, through onnxruntime. A model of 10 inputs and 2 classes answers a few million records a second.

Example:
    >>> import numpy as np, onnx, tempfile
    >>> from onnx import TensorProto, helper
    >>> from reticent.models import OnnxModel, Target
    >>> graph = helper.make_graph(
    ...     [helper.make_node("Identity", ["x"], ["y"])], "same",
    ...     [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
    ...     [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])])
    >>> model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.save(model, f"{folder}/model.onnx")
    ...     Target(OnnxModel(f"{folder}/model.onnx"), classes=2).predicted(np.array([[0.0, 1.0], [3.0, 2.0]])).tolist()
    [1, 0]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import MissingExtra, ModelError

__all__ = ["OnnxModel"]

_ROWS = 4096
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")  # what onnxruntime has without a library of somebody's own
_TOKENS = ("input_ids", "attention_mask", "token_type_ids")
_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}
_FLOATS = ("tensor(float)", "tensor(double)", "tensor(float16)")
_LISTS = "seq(map(int64,"
_WHOLE = ("tensor(int64)", "tensor(int32)")


class OnnxModel:
    """A model in an ONNX file.

    Args:
        path: the file.
        output: name of the output that holds the answers; by default the one that can.

    Raises:
        ModelError: a file that cannot be read, or is not to be trusted with being read.
        MissingExtra: onnx and onnxruntime are not installed.
    """

    def __init__(self, path: str | Path, *, output: str | None = None) -> None:
        try:
            import onnx
            import onnxruntime
        except ImportError as error:
            raise MissingExtra(error.name or "onnxruntime", "onnx", "An ONNX file") from error
        self.path = Path(path)
        if self.path.suffix != ".onnx" or not self.path.is_file():
            raise ModelError(
                f"Expected a model, or the path of an .onnx file, got {str(path)!r}.", "Pass a file that is there."
            )
        content = self.path.read_bytes()
        try:
            _refuse_surprises(onnx.ModelProto.FromString(content), self.path.name)
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3  # errors only, and those are raised
            # From memory: what was looked through is what runs.
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except ModelError:
            raise
        except Exception as error:  # onnxruntime's errors have no common class but this
            raise ModelError(
                f"Expected an ONNX model in {self.path.name}, but: {_first_line(error)}.", "Export it again."
            ) from error
        self._inputs = self._session.get_inputs()
        self._output = _chosen(self._session.get_outputs(), output, self.path.name)
        self.answers = "labels" if self._output.type in _WHOLE else None
        self._check_inputs()
        sizes = {one.shape[0] for one in self._inputs if one.shape and isinstance(one.shape[0], int)}
        self._fixed = max(sizes) if sizes else None
        self.rows: int | None = _ROWS

    def __repr__(self) -> str:
        return f"OnnxModel({self.path.name})"

    def ask(self, features: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What the chosen output says about each record.

        Raises:
            ModelError: records of another shape, or a run that failed.
        """
        at_once = self._fixed or max(1, len(features))
        parts = []
        for start in range(0, len(features), at_once):
            part = features[start : start + at_once]
            filled = part if self._fixed is None else part[np.minimum(np.arange(at_once), len(part) - 1)]
            try:
                said = self._session.run([self._output.name], self._feed(filled))[0]
            except ModelError:
                raise
            except Exception as error:
                raise ModelError(
                    f"Expected {self.path.name} to answer records of shape {features.shape[1:]}, but it said: "
                    f"{_first_line(error)}.",
                    f"Its inputs are {_listed(self._inputs)}.",
                ) from error
            parts.append(_as_rows(said, self.path.name)[: len(part)])
        return np.concatenate(parts)

    def _check_inputs(self) -> None:
        names = [one.name for one in self._inputs]
        tokens = len(names) > 1 and set(names) <= set(_TOKENS)
        if (len(names) != 1 and not tokens) or any(one.type not in _TYPES for one in self._inputs):
            raise ModelError(
                f"Expected {self.path.name} to take one array of numbers, or {', '.join(_TOKENS)}, but its inputs are "
                f"{_listed(self._inputs)}.",
                "Export it with one input for all columns, or pass a function that calls it.",
            )

    def _feed(self, features: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        if len(self._inputs) == 1:
            columns = {self._inputs[0].name: features}
        elif features.ndim == 3 and features.shape[1] >= len(self._inputs):
            columns = dict(zip(_TOKENS, features.swapaxes(0, 1), strict=False))
        else:
            raise ModelError(
                f"Expected features of shape ({len(self._inputs)}, length) for {_listed(self._inputs)}, got "
                f"{features.shape[1:]}.",
                "Make them with reticent.models.tokenized.",
            )
        feed = {}
        for one in self._inputs:
            values: npt.NDArray[Any] = columns[one.name].astype(_TYPES[one.type])
            if values.dtype.kind in "iub" and (values != columns[one.name]).any():
                raise ModelError(
                    f"Expected whole numbers for the input {one.name} ({one.type}) of {self.path.name}, got others.",
                    "Check the order of the columns, and their scale.",
                )
            feed[one.name] = values
        return feed


def _refuse_surprises(model: Any, name: str) -> None:
    """Raise `ModelError` for a model that reads other files, or runs what is not ONNX's own."""
    own = {function.domain for function in model.functions}
    outside = False
    foreign: set[str] = set()
    graphs: list[Any] = [model.graph, *model.functions]
    while graphs:
        part = graphs.pop()
        tensors = [*getattr(part, "initializer", ())]
        tensors += [tensor for one in getattr(part, "sparse_initializer", ()) for tensor in (one.values, one.indices)]
        for node in part.node:
            if node.domain not in (*_DOMAINS, *own):
                foreign.add(f"{node.domain}.{node.op_type}")
            for value in node.attribute:
                tensors += [value.t, *value.tensors]
                sparse = [value.sparse_tensor, *value.sparse_tensors]
                tensors += [tensor for one in sparse for tensor in (one.values, one.indices)]
                graphs += [value.g, *value.graphs] if value.HasField("g") or value.graphs else []
        outside |= any(len(tensor.external_data) or tensor.data_location == tensor.EXTERNAL for tensor in tensors)
    if outside:
        raise ModelError(
            f"Expected all of the model in {name}, but it names other files to read.",
            "Save it as one: onnx.save(onnx.load(path), another_path).",
        )
    if foreign:
        raise ModelError(
            f"Expected ONNX's own operators in {name}, got {', '.join(sorted(foreign))}.",
            "Export it without custom operators, or pass a function that calls it.",
        )


def _chosen(outputs: Any, wanted: str | None, name: str) -> Any:
    if wanted is not None:
        by_name = {one.name: one for one in outputs}
        return by_name[_checks.one_of(by_name, output=wanted)]
    for kinds in (_FLOATS, (_LISTS,), _WHOLE):
        fitting = [one for one in outputs if one.type.startswith(kinds)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            break
    raise ModelError(
        f"Expected one output of {name} that can be its answers, got {_listed(outputs)}.",
        "Say which one it is: OnnxModel(path, output=...).",
    )


def _as_rows(said: Any, name: str) -> npt.NDArray[Any]:
    """The output as one row for each record, dictionaries from class to value included."""
    if not isinstance(said, list):
        return np.asarray(said)
    classes = sorted({key for row in said for key in row})
    if classes != list(range(len(classes))):
        raise ModelError(
            f"Expected the classes 0 to {len(classes) - 1} in the answers of {name}, got {classes[:10]}.",
            "Number the classes from 0 before training, or export with zipmap=False.",
        )
    return np.array([[row[key] for key in classes] for row in said], dtype=np.float64)


def _listed(values: Any) -> str:
    return ", ".join(f"{one.name} {one.type} {one.shape}" for one in values)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
