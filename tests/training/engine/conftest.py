"""What the tests of the engine share."""

from __future__ import annotations

import pytest
import torch

from reticent.training.engine import products


@pytest.fixture
def everything_is_large(monkeypatch):
    """Every product takes the way of large ones, on every processor that has oneDNN."""
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(products, "_LARGE", 0)
    monkeypatch.setattr(products, "_WORTH_A_CALL", 0)
    monkeypatch.setattr(products, "_is_slow_in_mkl", lambda: True)
