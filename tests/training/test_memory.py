"""Memory is measured as it is, and the size that is found fits."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reticent.training import memory
from reticent.training.memory import PeakMemory, available_bytes, fitting_size

CPU = torch.device("cpu")


def test_the_peak_is_of_what_lives_at_once():
    before = torch.ones(1000)
    with PeakMemory(CPU) as peak:
        first = before * 2  # 4,000 bytes
        second = first + 1  # 8,000
        del first
        third = second.view(10, 100).T  # a view
        fourth = third + third  # 8,000 again
        before.add_(1)
    assert peak.bytes == 8000
    assert fourth.sum() == 6000
    with PeakMemory(CPU) as peak:
        pass
    assert peak.bytes == 0


def test_the_backward_pass_counts():
    model, x = nn.Linear(100, 50, bias=False), torch.ones(10, 100)
    with PeakMemory(CPU) as peak:
        model(x).sum().backward()
    assert 50 * 100 * 4 <= peak.bytes <= 50 * 100 * 4 + 10 * 50 * 4 * 3 + 100


def test_available_memory_is_a_number_of_this_machine():
    assert 2**20 < available_bytes(CPU) < 2**50


@pytest.mark.parametrize("each", [100, 4000])
@pytest.mark.parametrize("fixed", [0, 50_000])
def test_what_fits_is_found(monkeypatch, each, fixed):
    monkeypatch.setattr(memory, "available_bytes", lambda device: 2_000_000)
    calls = []

    def trial(size):
        calls.append(size)
        held = torch.zeros(fixed // 4).clone(), torch.zeros(size * each // 4).clone()
        assert len(held) == 2

    found = fitting_size(trial, CPU, most=10**6, beside=100_000)
    # zeros and its copy live together: twice the bytes
    assert found == pytest.approx((1_000_000 - 100_000 - fixed) / (2 * each), rel=0.1)
    assert max(calls) <= 16 * (1 + fixed / each) + 16
    assert fitting_size(trial, CPU, most=1) == 1
    assert fitting_size(trial, CPU, most=5) == 5


def test_at_least_one_example_is_tried(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda device: 10)
    assert fitting_size(lambda size: torch.zeros(size * 100).clone(), CPU, most=100) == 1
