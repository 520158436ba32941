"""Several looks and one error: where they end, and how often they end too far."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reticent as rt
from reticent.data.minimisation import minimising
from reticent.data.minimisation.looking import chosen, looked, looks
from reticent.data.minimisation.searching import Judge, Judged
from reticent.data.minimisation.steps import DROP
from reticent.data.minimisation.utility import tango
from reticent.evidence import Estimate


def of(low: float) -> Estimate:
    return Estimate(low + 0.01, low, low + 0.02, 0.95, 900, "paired")


@given(st.lists(st.sampled_from([-0.02, -0.01, -0.005, 0.0]), max_size=8))
def test_the_claim_is_the_last_before_the_first_failure(lows: list[float]) -> None:
    place = chosen([of(low) for low in lows], 0.01)
    good = [low > -0.01 for low in lows]
    assert all(good[: place + 1])
    assert place + 1 == len(lows) or not good[place + 1]


@given(st.integers(0, 40), st.integers(1, 12))
def test_looks_are_in_order_and_end_with_the_last_step(steps: int, most: int) -> None:
    found = looks(list(range(steps)), most)
    assert found == sorted(set(found))
    assert len(found) == min(steps, most)
    assert found[-1:] == list(range(steps))[-1:]


def test_nothing_is_looked_at_after_a_failure() -> None:
    asked = []

    def difference(plan, share):
        asked.append((plan["a"].kind, share))
        return of(0.0 if len(asked) < 2 else -0.02)

    path = [({"a": DROP}, share) for share in (1.0, 0.5, 0.25)]
    seen, place = looked(path, difference, 0.01, lambda _done, _total: None)
    assert (len(seen), place, asked) == (2, 0, [("drop", 1.0), ("drop", 0.5)])
    assert looked([], difference, 0.01, lambda _done, _total: None) == ([], -1)


def test_looks_together_are_wrong_as_seldom_as_one() -> None:
    """Paths of ten tables, the last seven of which truly lose the tolerance: to declare one of them happens in 2.5 % of
    paths; 600 paths, so more than 38 have a probability below 1e-6. The planted fault takes the last look that
    succeeds, whatever came before.
    """
    draw, rows, tolerance = np.random.default_rng(3), 3000, 0.02
    losses = np.array([0.002, 0.006, 0.01, *[tolerance] * 7])
    too_far = faulty = reached = 0
    for _ in range(600):
        seen = []
        for loss in losses:
            won, lost, _ = draw.multinomial(rows, [0.02, 0.02 + loss, 0.96 - loss])
            seen.append(Estimate((won - lost) / rows, *tango(int(won), int(lost), rows, 0.95), 0.95, rows, "paired"))
        place = chosen(seen, tolerance)
        too_far += place >= 3
        reached += place >= 1
        faulty += any(one.low > -tolerance for one in seen[3:])
    assert too_far <= 38
    assert faulty > 60
    assert reached > 300


class Believing(Judge):
    """Takes its own estimate for the truth, and so goes too far."""

    def compared(self, whole: np.ndarray, less: np.ndarray) -> Judged:
        found = super().compared(whole, less)
        return Judged(found.change, found.error, found.change >= -self.tolerance, found.people)


def linear(table, labels, _seed):
    matrix = np.stack([*(one.numbers() for one in table.columns), np.ones(table.rows)], axis=1)
    weights = np.linalg.lstsq(matrix, 2.0 * labels - 1, rcond=None)[0]
    return lambda asked: (
        np.stack([*(one.numbers() for one in asked.columns), np.ones(asked.rows)], axis=1) @ weights > 0
    ).astype(int)


def weak(seed: int, rows: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    values = draw.integers(-3, 4, (rows, 8))
    labels = values @ [1.0, 0.5, 0.3, 0.3, 0.2, 0.1, 0.05, 0.0] + draw.normal(0, 2, rows) > 0
    return {**{f"c{k}": one for k, one in enumerate(values.T)}, "label": labels}


@pytest.mark.slow
def test_a_search_that_goes_too_far_loses_its_last_steps_and_not_the_claim(monkeypatch) -> None:
    """Its last table loses more than the tolerance; before, nothing else was looked at, and nothing was claimed."""
    monkeypatch.setattr(minimising, "Judge", Believing)
    back = 0
    for seed in range(8):
        found = rt.minimise(
            weak(seed, 4000), "label", model=linear, tolerance=0.03, coarsen=False,
            randomness=rt.Randomness.simulated(seed),
        )  # fmt: skip
        last = found.search["looks"][-1]["difference"]
        if last["low"] > -0.03:
            continue
        back += 1
        assert found.confirmed
        assert found.difference is not None
        assert found.difference.low > -0.03
        confirmed = found.search["looks"][found.search["looks_confirmed"] - 1]
        assert len(found.map.dropped) == confirmed["dropped"] < found.search["looks"][-1]["dropped"]
        assert found.difference.as_dict() == confirmed["difference"]
        assert found.rows["curve"][-1]["change"]["value"] == found.search["change"]
        assert "The search went further" in str(found)
    assert back >= 4
