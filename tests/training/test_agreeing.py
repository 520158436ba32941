"""What processes agree on before they start; differences themselves are planted in `test_ranks`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.training import processes_at_work
from tests.training.worlds import World
from torch import nn

from reticent.errors import PeerError
from reticent.training.agreeing import agree, assumed, same_records
from reticent.training.ranks import Ranks


class Heard(Ranks):
    """Two processes of which the other one says what it is told to."""

    def __init__(self, other: Callable[[bytes], bytes]) -> None:
        super().__init__(0, 2)
        self._other = other

    def everybody(self, data: bytes) -> list[bytes]:
        return [data, self._other(data)]


def other_records(records: list[Any]) -> Callable[[bytes], bytes]:
    """A process that holds these instead."""
    told: list[bytes] = []

    class Listening(Ranks):
        def __init__(self) -> None:
            super().__init__(0, 2)

        def everybody(self, data: bytes) -> list[bytes]:
            told.append(data)
            return [data]

    same_records(Listening(), records)
    answers = iter(told)
    return lambda _: next(answers)


RECORDS = [(torch.arange(3.0) + place, place % 2) for place in range(9)]


@pytest.mark.parametrize(
    ("others", "place"),
    [
        ([(torch.arange(3.0) + 1, 0), *RECORDS[1:]], 0),
        ([*RECORDS[:4], (RECORDS[4][0], 1), *RECORDS[5:]], 4),
        ([*RECORDS[:8], (RECORDS[8][0].double(), 0)], 8),
    ],
)
def test_another_record_is_noticed(others: list[Any], place: int) -> None:
    with pytest.raises(PeerError, match=f"record {place} differs.*whole data set"):
        same_records(Heard(other_records(others)), RECORDS)


def test_what_is_not_looked_at_is_assumed() -> None:
    others = [*RECORDS[:2], RECORDS[0], *RECORDS[3:]]
    same_records(Heard(other_records(others)), RECORDS)
    assert any("tried on some records" in line for line in assumed(Ranks(0, 3)))
    assert assumed(Ranks()) == ()


class Noisy(list[Any]):
    def __getitem__(self, place: Any) -> Any:
        return np.random.default_rng().normal(size=2)


class Augmented(list[Any]):
    def __getitem__(self, place: Any) -> Any:
        return super().__getitem__(place)[0] + torch.randn(3)


class Broken(list[Any]):
    def __getitem__(self, place: Any) -> Any:
        raise OSError


def test_records_that_tell_nothing_are_let_through() -> None:
    for records in (Noisy(RECORDS), Broken(RECORDS), [object() for _ in range(9)]):
        same_records(Heard(other_records(RECORDS)), records)
    # torch's generators are put in the same state, so that its transforms can be compared
    same_records(Heard(other_records(Augmented(RECORDS))), Augmented(RECORDS))
    with pytest.raises(PeerError, match="record 4"):
        same_records(Heard(other_records(Augmented([RECORDS[0]] * 9))), Augmented([RECORDS[0], *RECORDS[1:]]))


@pytest.mark.parametrize(
    "records",
    [
        [{"x": np.arange(3), "y": "a", "z": (1.5, None, b"c")} for _ in range(9)],
        [[torch.ones(2, dtype=torch.bfloat16), torch.tensor(True)] for _ in range(9)],
    ],
)
def test_records_of_many_kinds_are_compared(records: list[Any]) -> None:
    same_records(Heard(other_records(list(records))), records)
    others = list(records)
    others[0] = {**others[0], "y": "b"} if isinstance(others[0], dict) else [others[0][1], others[0][0]]
    with pytest.raises(PeerError, match="record 0"):
        same_records(Heard(other_records(others)), records)


def test_buffers_and_frozen_parameters_are_compared() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))

    def with_other_mean(data: bytes) -> bytes:
        return data.replace(b'"starting value of 1.running_mean": "', b'"starting value of 1.running_mean": "0')

    agree(Heard(lambda data: data), model, {"plan": 1})
    with pytest.raises(PeerError, match=r"starting value of 1\.running_mean"):
        agree(Heard(with_other_mean), model, {"plan": 1})
    with pytest.raises(PeerError, match="same network"):
        agree(Heard(lambda data: data.replace(b"False", b"True")), model, {"plan": 1})


@pytest.mark.slow
def test_generators_in_one_state_are_set_apart(world: Callable[[int], World]) -> None:
    """Dropout that repeats would tie examples together: after the call no two processes draw the same."""
    found = world(4).run(processes_at_work.generators, "same")
    assert [bool(untouched) for untouched, *_ in found] == [True, False, False, False]
    assert len({tuple(drawn) for _, *drawn in found}) == 4
    assert world(4).run(processes_at_work.generators, "same") == found  # repeatable: the randomness is simulated
    found = world(4).run(processes_at_work.generators, "apart")
    assert all(untouched for untouched, *_ in found)


@pytest.mark.slow
def test_the_expected_batch_is_that_of_all_processes(world: Callable[[int], World]) -> None:
    assert world(2).run(processes_at_work.calibrated) == [(24, 48)] * 2
