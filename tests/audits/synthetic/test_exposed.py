"""Lists of rows at risk: the stated share of false ones, planted rows found, and faults that would be seen."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import rankdata
from tests.audits.synthetic.generators import marginals, people, seeded

from reticent.audits.multiplicity import benjamini_hochberg
from reticent.audits.synthetic import audit_release
from reticent.audits.synthetic.exposed import against_coins, against_controls, coin_p_values
from reticent.data.tables import Table
from reticent.errors import UsageError
from reticent.randomness import Randomness

DRAWS = 1500


def _false_lists(shift: float) -> float:
    """How often anything is listed if nobody is exposed: that is the false discovery rate then."""
    draw = np.random.default_rng(1)
    hits = 0
    for _ in range(DRAWS):
        members, controls = draw.normal(size=80), draw.normal(size=199)
        hits += bool(against_controls(members + shift, controls, np.arange(80), 0.1).rows)
    return hits / DRAWS


def test_nobody_is_listed_wrongly_more_often_than_was_said() -> None:
    margin = 6 * math.sqrt(0.1 * 0.9 / DRAWS)
    assert _false_lists(0.0) < 0.1 + margin
    assert _false_lists(1.0) > 0.1 + margin  # scores that are not alike are seen


def test_a_p_value_that_leaves_the_row_itself_out_would_be_too_small() -> None:
    """The planted fault: k/m for (k + 1)/(m + 1) lists somebody far too often, since it can be 0."""
    draw = np.random.default_rng(2)
    hits = 0
    for _ in range(DRAWS):
        members, controls = draw.normal(size=80), draw.normal(size=199)
        p = (controls[None, :] >= members[:, None]).mean(axis=1)
        hits += bool((benjamini_hochberg(p) <= 0.1).any())
    assert hits / DRAWS > 0.1 + 6 * math.sqrt(0.1 * 0.9 / DRAWS)


def test_of_a_list_the_stated_share_is_false_and_exposed_rows_are_in_it() -> None:
    draw = np.random.default_rng(3)
    false, found = [], []
    for _ in range(400):
        members, controls = draw.normal(size=200), draw.normal(size=400)
        members[:40] += 5
        listed = [one.row for one in against_controls(members, controls, np.arange(200), 0.1).rows]
        false.append(sum(row >= 40 for row in listed) / max(len(listed), 1))
        found.append(sum(row < 40 for row in listed) / 40)
    # expected 0.1 times 160/200; the share of one list has a deviation below 0.08
    assert np.mean(false) < 0.08 + 6 * 0.08 / 20
    assert np.mean(found) > 0.9


def test_a_list_can_be_too_short_to_come_out() -> None:
    controls = np.linspace(0, 1, 99)
    members = np.zeros(50)
    members[:4] = 9
    found = against_controls(members, controls, np.arange(50), 0.1)
    assert (found.fewest, found.rows) == (5, ())  # four rows above all controls: 4/50 of 0.1 is below 1/100
    members[4] = 9
    listed = against_controls(members, controls, np.arange(50), 0.1)
    assert [one.row for one in listed.rows] == [0, 1, 2, 3, 4]
    assert listed.rows[0].p == pytest.approx(0.01)
    none = against_controls(members, controls[:5], np.arange(50), 0.1)
    assert none.fewest == 0
    assert "none can come out" in none.sentence
    ties = against_controls(np.ones(50), np.ones(99), np.arange(50), 0.1)
    assert not ties.rows
    with pytest.raises(UsageError, match="level"):
        against_controls(members, controls, np.arange(50), 1.5)


@pytest.mark.parametrize("tied", [False, True])
def test_coin_p_values_are_those_of_all_possible_coins(tied: bool) -> None:
    draw = np.random.default_rng(4)
    scores = draw.integers(0, 3, (7, 20)).astype(float) if tied else draw.normal(size=(7, 20))
    inside = draw.random((7, 20)) < 0.5
    inside[:, 0], inside[:, 1] = True, False
    found = coin_p_values(scores, inside)
    for row in range(20):
        ranks, size = rankdata(scores[:, row]), int(inside[:, row].sum())
        sums = np.array([ranks[list(some)].sum() for some in itertools.combinations(range(7), size)])
        assert found[row] == pytest.approx((sums >= ranks[inside[:, row]].sum() - 1e-9).mean())
    assert found[:2].tolist() == [1.0, 1.0]


def test_coins_list_nobody_wrongly_and_find_a_single_row() -> None:
    draw = np.random.default_rng(5)
    false, found = 0, 0
    for _ in range(300):
        membership = draw.random((16, 100)) < 0.5
        scores = draw.normal(size=(16, 100))
        false += bool(against_coins(scores, membership, np.arange(100), 0.1).rows)
        scores[:, 7] += 50 * membership[:, 7]
        found += 7 in [one.row for one in against_coins(scores, membership, np.arange(100), 0.1).rows]
    assert false / 300 < 0.1 + 6 * math.sqrt(0.09 / 300)
    assert found / 300 > 0.85  # unless it was in almost all releases, or in almost none


def _leaking(table: Table, seed: int) -> Table:
    """Marginals; but whoever is 2.5 metres tall is released as they are."""
    made = marginals(table, seed)
    tall = np.flatnonzero(table["height"].numbers() > 250)
    rest = made.take(np.arange(len(tall), made.rows))
    return Table.of({name: [*table[name].cells()[tall].tolist(), *rest[name].cells().tolist()] for name in table.names})


def _with_giants(rows: int, rng: np.random.Generator, giants: int) -> Table:
    made = people(rows, rng)
    height = made["height"].numbers().copy()
    height[:giants] = 260 + 20 * np.arange(giants)
    return made.replaced([Table.of({"height": height})["height"]])


@pytest.mark.slow
def test_planted_outliers_are_listed_by_their_numbers() -> None:
    """Three rows of 300 are copied and all others are not: too few for controls, found by the generator's coins."""
    rng = seeded(7)
    source, control = _with_giants(300, rng, 3), people(600, rng)
    audit = audit_release(
        _leaking(source, 1),
        source=source,
        control=control,
        generator=_leaking,
        secrets=["region"],
        generations=20,
        targets=600,
        at_risk=0.1,
        randomness=Randomness.simulated(7),
    )
    here, anew = audit.at_risk
    assert {0, 1, 2} <= {one.row for one in anew.rows}
    assert len(anew.rows) <= 6
    assert here.fewest > 3
    body = audit.as_dict()
    assert "single people at risk" not in body["not_tested"]
    assert "Rows at risk in releases of the generator: " in str(audit)


@pytest.mark.parametrize("asked", [True, False])
def test_rows_are_listed_only_if_asked_and_numbered_as_in_the_source(asked: bool) -> None:
    """Every even row of the source is released as it is; the others are not."""
    rng = seeded(8)
    source, control = people(200, rng), people(600, rng)
    release = Table.of(
        {
            name: [*source[name].cells()[::2].tolist(), *others]
            for name, others in ((one.name, one.cells().tolist()) for one in people(100, rng).columns)
        }
    )
    audit = audit_release(
        release,
        source=source,
        control=control,
        secrets=["region"],
        most=150,
        at_risk=0.1 if asked else None,
        randomness=Randomness.simulated(8),
    )
    assert ("single people at risk" in audit.as_dict()["not_tested"]) != asked
    if not asked:
        assert audit.at_risk == ()
        assert "Rows at risk" not in str(audit)
        return
    (here,) = audit.at_risk
    listed = np.array([one.row for one in here.rows])
    assert here.judged == 150
    assert len(listed) > 50
    assert (listed % 2 == 0).mean() > 0.75  # 0.9 and more on average; 0.75 is far below 6 deviations of a coin


def test_an_unfair_control_lists_nobody() -> None:
    rng = seeded(9)
    source, control = people(200, rng), people(400, rng)
    taller = control.replaced([Table.of({"height": control["height"].numbers() + 60})["height"]])
    audit = audit_release(
        source, source=source, control=taller, secrets=["region"], at_risk=0.1, randomness=Randomness.simulated(9)
    )
    (here,) = audit.at_risk
    assert not audit.fair
    assert here.rows == ()
    assert "told apart without it" in here.sentence
