"""The front door: leaks are found, what was made from nobody is accused as rarely as the level says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from tests.audits.synthetic.generators import as_frame, blurring, copula, copying, interpolating, marginals, people

from reticent.audits.synthetic import SyntheticAudit, audit_release
from reticent.errors import DataError, NotEnoughEvidence, UsageError
from reticent.randomness import Randomness


def audit(make, seed: int = 0, rows: int = 300, **settings) -> SyntheticAudit:
    rng = np.random.default_rng(seed)
    source, control = people(rows, rng), people(2 * rows, rng)
    settings = {"secrets": ["region"], "predicates": 300, **settings}
    release = make(source, seed)
    return audit_release(release, source=source, control=control, randomness=Randomness.simulated(seed), **settings)


@pytest.mark.slow
@pytest.mark.parametrize("generator", [copying(1.0), interpolating, blurring(0.05)], ids=["copy", "smote", "kernel"])
def test_leaks_are_found_by_most_attacks(generator) -> None:
    found = audit(generator)
    assert {
        "membership by density ratio",
        "membership by calibrated distance",
        "attribute inference of region",
        "linkage of two halves",
        "singling out",
    } <= set(found.found)
    assert found.reversed == ()
    assert "gives away rows" in str(found)


def test_a_few_copied_rows_are_found_as_copies() -> None:
    found = audit(copying(0.08))
    assert "copies" in found.found
    assert "linkage of two halves" not in found.found


@pytest.mark.slow
@pytest.mark.parametrize("generator", [marginals, copula])
def test_marginals_and_a_copula_are_not_accused(generator) -> None:
    found = audit(generator)
    assert found.found == ()
    assert "no proof that there is none" in str(found)
    assert min(one.p_adjusted for one in found.tests) > 1e-6


@pytest.mark.slow
def test_false_alarms_over_many_audits() -> None:
    """40 releases of marginals of other people: all tests together accuse in at most 5 % (false alarm 1e-6)."""
    accused = unfair = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        release = marginals(people(120, rng), seed)
        found = audit_release(
            release,
            source=people(120, rng),
            control=people(240, rng),
            secrets=["region"],
            predicates=100,
            randomness=Randomness.simulated(seed),
        )
        accused += any(one.p_adjusted <= 0.05 for one in found.tests)
        unfair += not found.fair
    assert binom.sf(accused - 1, 40, 0.05) > 1e-6, accused
    assert binom.sf(unfair - 1, 40, 0.01) > 1e-6, unfair


def test_an_unfair_control_is_said_and_accuses_nobody() -> None:
    rng = np.random.default_rng(3)
    source, control = people(300, rng), people(600, rng)
    older = control.replaced([control["age"].mapped((control["age"].values + 20).tolist())])
    found = audit_release(source, source=source, control=older, secrets=["region"], randomness=Randomness.simulated(3))
    assert not found.fair
    assert found.found == ()
    assert all(one.status.value != "executed" for one in found.findings)
    assert any(one.p_adjusted < 0.05 for one in found.tests)  # the figures stand all the same


@pytest.mark.slow
def test_with_a_generator_fresh_releases_are_judged_also_where_the_control_is_unfair() -> None:
    steps = []
    found = audit(
        blurring(0.1), rows=150, generator=blurring(0.1), generations=8, progress=lambda *done: steps.append(done)
    )
    assert "shadow releases: counting queries" in found.found
    assert "membership by counting queries" in found.found
    assert ("shadow releases", 8, 8) in steps
    assert steps[-1] == ("attacks", 6, 6)
    rng = np.random.default_rng(8)
    source, control = people(150, rng), people(300, rng)
    older = control.replaced([control["age"].mapped((control["age"].values + 25).tolist())])
    unfair = audit_release(
        blurring(0.1)(source, 1),
        source=source,
        control=older,
        generator=blurring(0.1),
        generations=8,
        secrets=["region"],
        randomness=Randomness.simulated(8),
    )
    assert not unfair.fair
    assert unfair.found
    assert all(one.startswith("shadow releases") for one in unfair.found)
    assert "Nothing can be said" in str(unfair)
    assert "gives away rows" in str(unfair)
    without = audit(marginals, rows=60)
    assert [one.reason for one in without.findings if one.status.value == "not_run"] == [
        "there is no generator to call; one release says nothing of another"
    ]


def test_frames_and_columns_and_owners() -> None:
    rng = np.random.default_rng(5)
    source, control = people(120, rng), people(240, rng)
    release = as_frame(copying(1.0)(source, 1))
    owned = [table.replaced([table["job"].renamed("job")]) for table in (source, control)]
    frames = [
        as_frame(table).assign(who=range(start, start + table.rows))
        for table, start in zip(owned, (0, 500), strict=True)
    ]
    found = audit_release(
        release,
        source=frames[0],
        control=frames[1],
        owner="who",
        columns=["age", "income", "height"],
        secrets=["age"],
        randomness=Randomness.simulated(1),
        name="frames",
    )
    assert found.details["columns"] == ["age", "income", "height"]
    assert found.details["owner"] == "who"
    assert "copies" in found.found


def test_the_same_seed_gives_the_same_record() -> None:
    one, other = audit(marginals, rows=60).as_dict(), audit(marginals, rows=60).as_dict()
    assert one == other
    assert one["repeatable"] is True


def test_what_cannot_mean_anything_is_refused() -> None:
    rng = np.random.default_rng(6)
    table = people(60, rng)
    with pytest.raises(UsageError, match="level"):
        audit_release(table, source=table, control=table, level=5)
    with pytest.raises(UsageError, match="column"):
        audit_release(table, source=table, control=people(60, rng), secrets=["wage"])
    with pytest.raises(DataError, match="none of the rows that are judged"):
        audit_release(table, source=table, control=table)
    with pytest.raises(NotEnoughEvidence, match="at least 20"):
        audit_release(table, source=table, control=people(30, rng))
