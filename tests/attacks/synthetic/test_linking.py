"""Links against a loop, and at the rate of chance where there is nothing to find."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from reticent.attacks.synthetic import Encoded, Kernel, linked
from reticent.errors import UsageError

KERNEL = Kernel(0.3, 0.2)


def rows(values: np.ndarray) -> Encoded:
    return Encoded(values.reshape(len(values), -1), np.zeros((len(values), 0), np.int32), np.zeros(0, np.int64))


def test_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    first, second, decoys = rng.normal(size=30), rng.normal(size=30), rng.normal(size=5)
    table = rng.normal(size=(40, 2))
    found = linked(
        rows(first),
        rows(second),
        decoys=rows(decoys),
        table=(rows(table[:, 0]), rows(table[:, 1])),
        kernels=(KERNEL, KERNEL),
        keys=rng.random((30, 6)),
    )

    def score(a: float, b: float) -> float:
        beside = norm.pdf(b, table[:, 1], 0.3)
        return float((norm.pdf(a, table[:, 0], 0.3) * beside).mean() / beside.mean())

    for i in range(30):
        assert found[i] == (score(first[i], second[i]) > max(score(first[i], b) for b in decoys))


def test_through_their_own_rows_people_are_found_and_through_others_they_are_not() -> None:
    rng = np.random.default_rng(1)
    people, others, decoys = (rng.normal(size=(2000, 4)) for _ in range(3))

    def through(table: np.ndarray) -> np.ndarray:
        return linked(
            rows(people[:, :2]),
            rows(people[:, 2:]),
            decoys=rows(decoys[:19, 2:]),
            table=(rows(table[:, :2]), rows(table[:, 2:])),
            kernels=(Kernel(0.1, 0.1), Kernel(0.1, 0.1)),
            keys=rng.random((2000, 20)),
        )

    assert through(people).mean() > 0.8
    # 100 of 2,000 are expected; decoys are shared, so the count is no binomial one: twenty times its variance.
    assert abs(through(others).mean() - 0.05) < 6 * np.sqrt(0.05 * 0.95 / 100)


def test_ties_go_to_the_largest_key_and_not_to_the_truth() -> None:
    same = rows(np.zeros((2000, 1)))
    keys = np.random.default_rng(2).random((2000, 10))
    found = linked(same, same, decoys=rows(np.zeros((9, 1))), table=(same, same), kernels=(KERNEL, KERNEL), keys=keys)
    assert (found == (keys.argmax(axis=1) == 0)).all()


def test_halves_of_other_rows_are_refused() -> None:
    one, two = rows(np.zeros((1, 1))), rows(np.zeros((2, 1)))
    with pytest.raises(UsageError, match="halves of the same rows"):
        linked(one, two, decoys=two, table=(one, one), kernels=(KERNEL, KERNEL), keys=np.zeros((1, 3)))
