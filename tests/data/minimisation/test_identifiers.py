"""Columns that say who somebody is."""

from __future__ import annotations

import numpy as np
import pytest

import reticent as rt
from reticent.data.minimisation.identifiers import identifiers
from reticent.data.tables import Table
from reticent.errors import UsageError


def people(rows: int, *, useful: bool) -> dict[str, object]:
    draw = np.random.default_rng(3)
    age = draw.integers(20, 90, rows)
    truth = age + draw.integers(0, 8, rows) > 60 if useful else draw.random(rows) < 0.2
    return {
        "MRN": [f"MRN{1_000_000 + 13 * i}" for i in range(rows)],
        "Patient Name": draw.choice(["Lee, Ann", "Ray, Bob", "Poe, Cy"], rows).tolist(),
        "Note": [f"Seen in the clinic on a day, number {i}, follow up soon" for i in draw.integers(0, 99, rows)],
        "salary": draw.permutation(7 * np.arange(rows)),
        "age": age,
        "ward": draw.choice(["A", "B", "C", "D"], rows).tolist(),
        "ill": truth,
    }


@pytest.mark.slow
def test_names_numbers_of_people_and_notes_are_found_and_measurements_are_not() -> None:
    found = identifiers(Table.of(people(2_000, useful=True)))
    assert set(found.direct) == {"MRN", "Patient Name", "Note"}
    assert found.unique == ("salary",)
    costs = Table.of({"cost": [f"{i}.{i % 90 + 10}" for i in range(300)], "height": np.arange(300) + 0.5})
    assert identifiers(costs) == ({}, ())


@pytest.mark.slow
def test_no_model_is_given_them_unless_they_are_kept_by_name() -> None:
    table = people(4_000, useful=True)
    found = rt.minimise(table, "ill", tolerance=0.03, randomness=rt.Randomness.simulated(1))
    assert found.confirmed
    assert {"MRN", "Patient Name", "Note", "salary", "ward"} <= set(found.map.dropped)
    assert "say who somebody is: 'MRN'" in str(found)
    assert "no column is shown to help" not in str(found)
    kept = rt.minimise(
        table, "ill", keep=["Patient Name"], tolerance=0.03, coarsen=False, randomness=rt.Randomness.simulated(1)
    )
    assert "Patient Name" not in kept.map.dropped
    assert "kept by request, though they say who somebody is: 'Patient Name' (name)" in str(kept)
    with pytest.raises(UsageError, match="does not say who somebody is"):
        rt.minimise({"Patient Name": table["Patient Name"], "ill": table["ill"]}, "ill")


@pytest.mark.slow
def test_a_model_that_learned_nothing_is_said_and_nothing_is_offered_that_changes_nothing() -> None:
    found = rt.minimise(people(4_000, useful=False), "ill", tolerance=0.03, randomness=rt.Randomness.simulated(1))
    assert "Warning: no column is shown to help" in str(found)
    assert found.learned is not None
    assert found.learned.low <= 0
    for one in found.columns:
        assert one.decision != "coarser" or one.after < one.before
