"""The state of a training as one file: what is needed to go on as if nothing had happened.

Promise: `load_state(save_state(path, tree))` gives the same tree: tensors to the bit, numbers, texts, lists, tuples
and dictionaries with keys of any of these plain kinds. The file is safetensors with JSON beside the tensors; reading
it runs no code. It appears whole or not at all, and one whose bytes have changed is refused (a digest, not a signature:
it finds damage, not forgery).

Covered: a state holds no key of a secure generator. After a stop a secure run draws fresh batches and fresh noise,
under the same promise; a simulated one repeats to the bit. Not covered: a state is the training's own memory. It holds
parameters before the promise is complete and, where noise is correlated, noise that was added to them, which its reader
can take away again; keep it as safe as the data.

Example:
    >>> import tempfile, torch
    >>> from reticent.training.state import load_state, save_state
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_state(f"{folder}/run.state", {"step": 3, "w": torch.tensor([1.0, 2.0]), "betas": (0.9, 0.999)})
    ...     load_state(path)
    {'step': 3, 'w': tensor([1., 2.]), 'betas': (0.9, 0.999)}
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from reticent.errors import IntegrityError, UsageError
from reticent.evidence import write_whole

__all__ = ["load_state", "save_state"]

_KIND = "reticent training state 2"
_BLANK = "0" * 64  # stands for the digest while it is computed


def save_state(path: str | Path, tree: Any) -> Path:
    """Write a tree of tensors and plain values.

    Raises:
        UsageError: something in it is neither; the folder cannot be written to.
    """
    tensors: dict[str, torch.Tensor] = {}
    described = json.dumps(_described(tree, tensors))
    content = safetensors.torch.save(tensors, {"kind": _KIND, "tree": described, "sha256": _BLANK})
    digest = hashlib.sha256(content).hexdigest()
    return write_whole(path, _with_digest(content, _BLANK, digest), for_owner_only=True)


def load_state(path: str | Path) -> Any:
    """Read what `save_state` wrote.

    Raises:
        UsageError: there is no such file.
        IntegrityError: it is not one of these files, or it is damaged.
    """
    if not Path(path).is_file():
        raise UsageError(f"Expected a saved state, got no file at {path}.", "Pass the path that it was saved to.")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            notes = file.metadata() or {}
            if notes.get("kind") != _KIND:
                raise ValueError(f"it is of kind {notes.get('kind')!r}")
            digest = notes["sha256"]
            content = _with_digest(Path(path).read_bytes(), digest, _BLANK)
            if len(digest) != len(_BLANK) or hashlib.sha256(content).hexdigest() != digest:
                raise ValueError("its contents are not what was saved")
            return _restored(json.loads(notes["tree"]), file)
    except (ValueError, KeyError, TypeError, IndexError, safetensors.SafetensorError) as error:
        raise IntegrityError(
            f"Expected a training state as save_state writes it, got {path}: {error}.",
            "Save it again, or start anew.",
        ) from error


def _with_digest(content: bytes, before: str, after: str) -> bytes:
    return content.replace(f'"sha256":"{before}"'.encode(), f'"sha256":"{after}"'.encode(), 1)


def _described(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().clone().contiguous()  # safetensors takes no two tensors that share memory
        return {"tensor": name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": [_described(part, tensors) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[_described(key, tensors), _described(part, tensors)] for key, part in value.items()]}
    raise UsageError(
        f"Expected tensors and plain values in a training's state, got {type(value).__name__}.",
        "An optimizer that keeps other things cannot be saved.",
    )


def _restored(value: Any, file: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return file.get_tensor(content)
    if kind == "dict":
        return {_restored(key, file): _restored(part, file) for key, part in content}
    parts = [_restored(part, file) for part in content]
    return parts if kind == "list" else tuple(parts)
