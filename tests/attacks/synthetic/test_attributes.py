"""Secrets as classes, and a learner that copies what it has seen and imputes what it has not."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.attacks.synthetic import Encoded, guesses, secret_of
from reticent.data.tables import Table
from reticent.errors import DataError


def rows(values: np.ndarray) -> Encoded:
    return Encoded(values, np.zeros((len(values), 0), np.int32), np.zeros(0, np.int64))


def test_a_row_that_was_seen_is_recalled_whatever_its_secret() -> None:
    rng = np.random.default_rng(0)
    known, secret = rows(rng.normal(size=(400, 3))), rng.integers(0, 5, 400)
    assert (guesses(known, secret, known, seed=1) == secret).mean() > 0.99
    unseen = guesses(known, secret, rows(rng.normal(size=(400, 3))), seed=1)
    assert abs((unseen == rng.integers(0, 5, 400)).mean() - 0.2) < 6 * np.sqrt(0.16 / 400)  # false alarm 1e-9


def test_it_imputes_what_the_other_columns_say() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(1000, 2))
    secret = (values[:, 0] > 0).astype(np.int64)
    assert (guesses(rows(values[:500]), secret[:500], rows(values[500:]), seed=2) == secret[500:]).mean() > 0.9


def test_numbers_are_guessed_to_their_tenth_and_few_values_as_they_are() -> None:
    rng = np.random.default_rng(2)
    table = Table.of({"income": rng.normal(size=5000).tolist(), "kind": ["a", None] * 2500, "few": [1, 2] * 2500})
    income = secret_of("income", [table], [table])
    assert np.bincount(income.of(table)).tolist() == pytest.approx([500] * 10, abs=1)
    kind = secret_of("kind", [table], [table])
    assert kind.cuts is None
    assert sorted(set(kind.of(table).tolist())) == [-1, 0]
    assert secret_of("few", [table], [table]).cuts is None


def test_names_are_no_secret_that_can_be_guessed() -> None:
    table = Table.of({"name": [f"person {i}" for i in range(300)]})
    with pytest.raises(DataError, match="at most 200 values, got 300 in column 'name'"):
        secret_of("name", [table], [table])
