"""Scores against loops; joins against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.attacks.reidentification.linkage.fields import fields_of
from reticent.attacks.reidentification.linkage.judging import People, chance, exact_joins, reliability, scores
from reticent.data.tables import Table
from reticent.errors import DataError
from reticent.evidence.intervals import clopper_pearson


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=8),
    st.lists(st.integers(0, 5), min_size=1, max_size=8),
    st.integers(0, 2**31),
)
def test_scores_are_those_of_a_loop(release: list[int], register: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    links = {row: int(generator.integers(len(register))) for row in range(len(release)) if generator.random() < 0.6}
    people = People(np.array(release), np.array(register))
    found = scores(people, np.array(list(links), int), np.array(list(links.values()), int))
    right = [row for row, other in links.items() if release[row] == register[other]]
    present = [row for row in range(len(release)) if release[row] in register]
    assert found["people re-identified"].value == len({release[row] for row in right}) / len(set(release))
    assert ("precision" in found) == bool(links)
    if links:
        assert found["precision"].value == len(right) / len(links)
    if present:
        recall = len(right) / len(present)
        assert found["recall"].value == recall
        precision = len(right) / len(links) if links else 0.0
        f1 = 2 * precision * recall / (precision + recall) if right else 0.0
        assert found["f1"].value == pytest.approx(f1)


def test_the_interval_of_f1_covers_the_truth() -> None:
    """Right, wrong and missed ones at random: 95 % intervals miss at most 5 % of 2000 times, up to six deviations."""
    generator = np.random.default_rng(3)
    share, misses = 0.8, 0
    truth = 2 * share / (1 + share)
    people = People(np.arange(200), np.arange(200))
    for _ in range(2000):
        right = generator.binomial(100, share)
        links = np.arange(right)  # all linked ones are right; the other 100 - right are missed
        few = People(people.release[:100], people.register)
        found = scores(few, links, links)["f1"]
        misses += not found.contains(truth)
    assert misses < 100 + 6 * np.sqrt(2000 * 0.05 * 0.95)


def test_guessing() -> None:
    people = People(np.array([1, 1, 2, 9]), np.array([1, 2, 2, 3]))
    wanted = np.mean([1 - (3 / 4) ** 2, 2 / 4, 0])
    assert chance(people).value == pytest.approx(wanted)


def test_exact_joins_are_those_of_pandas() -> None:
    generator = np.random.default_rng(4)
    one = pd.DataFrame({name: generator.integers(0, size, 200) for name, size in (("a", 150), ("b", 12), ("c", 20))})
    other = pd.DataFrame({name: generator.permutation(one[name]) for name in one})
    other.loc[:80] = one.loc[:80]
    for frame in (one, other):
        for name in frame:
            frame[name] = [f"{name}{value:03d}x" for value in frame[name]]
    joins = exact_joins(fields_of(Table.of(one), Table.of(other)))
    for on, left, right in joins.values():
        sides = [frame.reset_index().drop_duplicates(list(on), keep=False)[[*on, "index"]] for frame in (one, other)]
        merged = sides[0].merge(sides[1], on=list(on))
        assert sorted(zip(left, right, strict=True)) == sorted(zip(merged["index_x"], merged["index_y"], strict=True))
    assert len(joins["best exact join"][1]) >= len(joins["exact join on all columns"][1])


def test_reliability_is_counted_in_classes() -> None:
    chances = np.array([0.2, 0.25, 0.95, 0.95, 1.0])
    rows = reliability(chances, np.array([True, False, True, True, True]))
    assert [(row["from"], row["n"], row["observed"]) for row in rows] == [(0.1, 2, 0.5), (0.9, 2, 1.0), (0.999, 1, 1.0)]
    assert (rows[0]["low"], rows[0]["high"]) == clopper_pearson(1, 2, 0.95)
    assert rows[0]["expected"] == pytest.approx(0.225)


def test_people_are_read_off_a_column() -> None:
    release = Table.of({"id": ["rec-7-org", "rec-9-org"]})
    register = Table.of({"id": ["rec-9-dup-0", "rec-8-dup-0"]})
    people = People.of(release, register, "id", r"rec-(\d+)")
    assert (people.release[:, None] == people.register).tolist() == [[False, False], [True, False]]
    assert people.present.tolist() == [False, True]
    assert not People.of(release, register, "id").present.any()
    with pytest.raises(DataError, match="whose every row"):
        People.of(release, register, "id", "x(.)")
