"""What all adapters share: modes are restored, and an object with their three members is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from reticent.models import Target
from reticent.models.asking import evaluated

X = np.zeros((90, 4))


def test_modes_are_restored():
    model = nn.Sequential(nn.Dropout(), nn.Linear(2, 2))
    model[1].eval()
    with pytest.raises(KeyError), evaluated(model):
        assert not any(part.training for part in model.modules())
        raise KeyError
    assert [part.training for part in model.modules()] == [True, True, False]


def test_an_adapter_of_ones_own():
    class Mine:
        answers, rows = "logits", 7

        def ask(self, features):
            assert len(features) <= 7
            return torch.zeros(len(features), 2)

    assert Target(Mine(), classes=2).log_probabilities(X).shape == (90, 2)
