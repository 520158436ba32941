"""`compare`: all arms on equal terms, a fair split, and no promise that was not made.

The networks are single layers with more columns than records, so that ordinary training learns its records by heart.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import reticent as rt
from reticent.audits import Arm, Comparison, compare, split, standard_arms
from reticent.data import Records
from reticent.errors import DataError, NotEnoughEvidence, UsageError
from reticent.evidence import Record, Status
from reticent.privacy import Guarantee, Unit
from reticent.randomness import Randomness

TINY = 0.05
DELTA = 1e-3
COLUMNS = 60
SHADOWS = 8

build = functools.partial(torch.nn.Linear, COLUMNS, 2)
sgd = functools.partial(torch.optim.SGD, lr=0.5)


def population(size: int, **more: Any) -> Records:
    x = Randomness.simulated(0).normal((size, COLUMNS))
    return Records(x, x[:, 0] > 0, name="made up", **more)


def plan_for(members: Records, epsilon: float = TINY) -> rt.Plan:
    return rt.Plan.calibrate(
        epsilon=epsilon, delta=DELTA, dataset_size=len(members), batch_size=len(members) // 2, steps=4
    )


def ordinary(name: str = "ordinary", epochs: int = 30) -> Arm:
    optimizer = functools.partial(torch.optim.Adam, lr=0.1)
    return Arm(name, rt.Recipe(build, optimizer, epochs=epochs, batch_size=64), "ordinary", "As usual.")


def private(members: Records, name: str = "private") -> Arm:
    return Arm(name, rt.Recipe(build, sgd, plan=plan_for(members)), "private", "With noise.")


@pytest.fixture(scope="module")
def sides() -> tuple[Records, Records]:
    return split(population(90), Randomness.simulated(1))


@pytest.fixture(scope="module")
def told() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def comparison(sides: tuple[Records, Records], told: list[tuple[str, int, int]]) -> Comparison:
    arms = [ordinary(), private(sides[0])]
    return compare(
        *sides,
        arms,
        shadows=SHADOWS,
        jobs=1,
        randomness=Randomness.simulated(1),
        progress=lambda name, done, total: told.append((name, done, total)),
    )


# The split ----------------------------------------------------------------------------------------------------------


def test_a_split_is_a_partition_that_repeats() -> None:
    records = population(200)
    inside, outside = split(records, Randomness.simulated(3))
    rows = [row.tobytes() for row in np.concatenate([inside.features, outside.features])]
    assert len(rows) == 200
    assert set(rows) == {row.tobytes() for row in records.features}
    assert split(records, Randomness.simulated(3))[0].digest() == inside.digest()
    assert split(records, Randomness.simulated(4))[0].digest() != inside.digest()
    with pytest.raises(UsageError, match="Randomness"):
        split(records, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("inclusion", [0.5, 0.2])
def test_every_row_gets_a_fair_coin_of_its_own(inclusion: float) -> None:
    """400 splits of 40 rows: each row's share within 4.5 deviations (seeds are fixed; one miss in 3000 otherwise)."""
    records = Records(np.arange(40.0)[:, None], np.arange(40) % 2)
    counts = np.zeros(40)
    together = 0
    for seed in range(400):
        inside, _ = split(records, Randomness.simulated(seed), inclusion=inclusion)
        rows = inside.features[:, 0].astype(int)
        counts[rows] += 1
        together += {0, 1} <= set(rows.tolist())
    deviation = np.sqrt(inclusion * (1 - inclusion) / 400)
    assert np.abs(counts / 400 - inclusion).max() < 4.5 * deviation
    assert abs(counts.mean() / 400 - inclusion) < 4.5 * deviation / np.sqrt(40)
    both = inclusion**2
    assert abs(together / 400 - both) < 4.5 * np.sqrt(both * (1 - both) / 400)


def test_a_person_is_never_on_both_sides() -> None:
    owners = np.repeat(np.arange(25), 3)
    everyone = population(75, owners=owners, unit=Unit.PERSON)
    inside, outside = split(everyone, Randomness.simulated(0))
    assert inside.owners is not None
    assert outside.owners is not None
    assert not set(inside.owners) & set(outside.owners)
    assert len(inside) + len(outside) == 75


# The standard arms --------------------------------------------------------------------------------------------------


def test_the_standard_arms_are_an_ordinary_one_a_control_and_the_private_ones() -> None:
    members = population(120, unit=Unit.PERSON)
    arms = standard_arms(members, epsilons=(1, 2.5), delta=1e-4)
    assert [arm.name for arm in arms] == ["ordinary", "stopped early", "private, epsilon 1", "private, epsilon 2.5"]
    assert [arm.kind for arm in arms] == ["ordinary", "control", "private", "private"]
    for arm in arms[:2]:
        assert arm.recipe.plan is None
        assert arm.meaning.endswith(".")
    for arm, epsilon in zip(arms[2:], (1, 2.5), strict=True):
        plan = arm.recipe.plan
        assert plan is not None
        assert (plan.delta, plan.dataset_size, plan.unit) == (1e-4, 120, Unit.PERSON)
        assert 0.95 * epsilon < plan.guarantee().epsilon(1e-4) <= epsilon
        assert f"{plan.steps} steps" in arm.meaning
        assert plan.epochs == pytest.approx(arms[1].recipe.epochs, rel=0.1)  # the control gets as many passes
    network = arms[0].recipe.build()
    assert network(torch.zeros(3, COLUMNS)).shape == (3, 2)


@pytest.mark.parametrize(("size", "delta"), [(120, 1e-3), (500, 1e-3), (501, 1e-4), (40, 1e-2)])
def test_delta_is_by_default_the_largest_power_of_ten_at_or_below_half_of_one_in_n(size: int, delta: float) -> None:
    plan = standard_arms(population(size), epsilons=(1.0,))[-1].recipe.plan
    assert plan is not None
    assert plan.delta == pytest.approx(delta)
    assert plan.delta <= 1 / (2 * size) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"delta": 1 / 100}, "delta < 1/n = 0.01"),
        ({"delta": 0.5}, "delta < 1/n"),
        ({"epsilons": (1e-5,), "delta": 3.0}, "Did you swap epsilon and delta"),
        ({"epsilons": (0.0,)}, "epsilon > 0, got epsilon=0.0"),
        ({"epsilons": (1.0, -1.0)}, "epsilon > 0, got epsilon=-1.0"),
        ({"epsilons": (float("nan"),)}, "epsilon"),
        ({"epsilons": (float("inf"),)}, "epsilon"),
    ],
)
def test_a_promise_that_protects_nobody_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        standard_arms(population(100), **settings)


def test_an_arm_is_private_exactly_if_it_has_a_plan() -> None:
    members = population(60)
    with_plan, without = private(members).recipe, ordinary().recipe
    for kind, recipe in (("ordinary", with_plan), ("control", with_plan), ("private", without)):
        with pytest.raises(UsageError, match="plan in private arms and in no other"):
            Arm("mislabelled", recipe, kind, "Says one thing and does another.")
    with pytest.raises(UsageError, match="kind"):
        Arm("unknown", without, "secret", "No such kind.")


# The comparison -----------------------------------------------------------------------------------------------------


def test_every_arm_is_trained_and_audited_on_the_same_draws(
    sides: tuple[Records, Records], monkeypatch: pytest.MonkeyPatch
) -> None:
    import reticent.audits.comparison as room

    drawn: list[np.ndarray[Any, Any]] = []
    original = room.train_shadows

    def watched(*args: Any, **more: Any) -> Any:
        fleet = original(*args, **more)
        drawn.append(fleet.membership)
        return fleet

    monkeypatch.setattr(room, "train_shadows", watched)
    arms = [ordinary("one", epochs=1), ordinary("two", epochs=2)]
    found = compare(*sides, arms, shadows=4, jobs=1, randomness=Randomness.simulated(2))
    assert len(drawn) == 2
    assert np.array_equal(drawn[0], drawn[1])
    assert drawn[0].shape == (4, 90)
    digests = {run.data for run in found.runs.values()}
    assert digests == {sides[0].digest()}
    blind = [found.audits[name].finding.baseline for name in ("one", "two")]
    assert blind[0] == blind[1]


def test_a_memorising_arm_leaks_and_a_private_one_does_not(comparison: Comparison) -> None:
    leak = comparison.audits["ordinary"]
    assert leak.repeated.estimates["auc"].low > 0.6
    assert leak.finding.estimates["auc"].low > 0.5
    kept = comparison.audits["private"]
    for finding in (kept.repeated, kept.finding):
        assert finding.status is Status.EXECUTED
        assert finding.estimates["auc"].contains(0.5)


def test_a_private_arm_promises_no_more_than_its_target_and_its_bound_is_a_bound(comparison: Comparison) -> None:
    ordinary_arm, private_arm = comparison.record.body["arms"]
    assert ordinary_arm["promise"] is None
    assert comparison.runs["ordinary"].guarantee is None
    promise = private_arm["promise"]
    assert 0 < promise["epsilon"] <= TINY
    assert promise["delta"] == DELTA
    guarantee = Guarantee.from_dict(promise["guarantee"])
    assert guarantee == comparison.runs["private"].guarantee
    assert guarantee.epsilon(DELTA) == promise["epsilon"]
    x, y = (np.array(promise["bound"][f"{kind}_positive_rates"]) for kind in ("false", "true"))
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) >= 0).all()
    assert (y >= x).all()
    assert y[-1] == 1
    assert (y <= np.exp(TINY) * x + DELTA + 1e-6).all()
    # What is drawn is never below what holds: the promise is not rounded in its favour.
    assert (y >= guarantee.true_positive_rate(x)).all()


def test_a_simulated_promise_says_that_it_is_none(comparison: Comparison) -> None:
    promise = comparison.record.body["arms"][1]["promise"]
    assert comparison.record.body["repeatable"] is True
    assert promise["guarantee"]["simulated"] is True
    assert promise["text"].startswith("SIMULATION, no promise")


def test_a_secure_comparison_is_not_repeatable_and_promises(sides: tuple[Records, Records]) -> None:
    found = compare(*sides, [private(sides[0])], shadows=4, jobs=1)
    assert found.record.body["repeatable"] is False
    promise = found.record.body["arms"][0]["promise"]
    assert promise["guarantee"]["simulated"] is False
    assert "SIMULATION" not in promise["text"]


def test_progress_names_the_arm_and_counts_its_models(comparison: Comparison, told: list[tuple[str, int, int]]) -> None:
    expected = [(name, done, SHADOWS + 1) for name in ("ordinary", "private") for done in range(1, SHADOWS + 2)]
    assert told == expected


@pytest.mark.slow
def test_a_simulated_comparison_repeats(comparison: Comparison, sides: tuple[Records, Records]) -> None:
    again = compare(
        *sides, [ordinary(), private(sides[0])], shadows=SHADOWS, jobs=1, randomness=Randomness.simulated(1)
    )
    assert again.record.body == comparison.record.body


def test_the_record_rests_on_every_training_and_audit(comparison: Comparison) -> None:
    expected = [
        record.id
        for name in comparison.runs
        for record in (comparison.runs[name].record, comparison.audits[name].record)
    ]
    assert list(comparison.record.parents) == expected
    assert Record.from_json(comparison.record.to_json()) == comparison.record


def test_the_same_records_are_followed_through_all_arms(comparison: Comparison) -> None:
    paired = comparison.record.body["paired"]
    assert [row["row"] for row in paired] == [risk.row for risk in comparison.audits["ordinary"].worst(10)]
    by_row = {risk.row: risk for risk in comparison.audits["private"].worst(10**6)}
    for row in paired:
        assert row["arms"]["private"]["p"] == by_row[row["row"]].p
        assert {arm["row"] for arm in row["arms"].values()} == {row["row"]}


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        (lambda one: {"arms": []}, UsageError, r"arms of different names, got \[\]"),
        (lambda one: {"arms": [ordinary(), ordinary()]}, UsageError, "different names"),
        (lambda one: {"shadows": 3}, UsageError, "shadows=3"),
        (lambda one: {"jobs": 0}, UsageError, "jobs=0"),
        (lambda one: {"randomness": 1}, UsageError, "Randomness"),
        (lambda one: {"members": one.take(range(5))}, NotEnoughEvidence, "got 5 and"),
        (lambda one: {"members": (np.zeros((20, 3)), [0, 1] * 10)}, DataError, "shape"),
    ],
)
def test_a_comparison_that_means_nothing_is_refused(
    sides: tuple[Records, Records], change: Any, kind: type[Exception], says: str
) -> None:
    settings = {"arms": [ordinary(epochs=1)], "members": sides[0], "nonmembers": sides[1], "jobs": 1, "shadows": 4}
    settings |= change(sides[0])
    with pytest.raises(kind, match=says):
        compare(settings.pop("members"), settings.pop("nonmembers"), settings.pop("arms"), **settings)


def test_confidence_in_per_cent_is_refused_before_anything_is_trained(sides: tuple[Records, Records]) -> None:
    told: list[str] = []
    with pytest.raises(UsageError, match="0 < confidence < 1"):
        compare(
            *sides, [ordinary()], shadows=4, jobs=1, confidence=95, progress=lambda name, done, total: told.append(name)
        )
    assert told == []


def test_where_people_own_several_rows_the_private_arms_promise_to_people() -> None:
    everyone = population(80, owners=np.repeat(np.arange(40), 2), unit=Unit.PERSON)
    plan = standard_arms(everyone, epsilons=(1.0,))[2].recipe.plan
    assert plan is not None
    assert (plan.unit, plan.dataset_size, plan.rows_per_unit) == (Unit.PERSON, 40, 2)


@pytest.mark.slow
def test_a_comparison_is_saved_whole_or_not_at_all(comparison: Comparison, tmp_path: Path) -> None:
    page = comparison.save(tmp_path / "report.html")
    assert "private" in page.read_text("utf-8")
    assert Record.from_json(comparison.save(tmp_path / "report.json").read_bytes()) == comparison.record
    before = sorted(tmp_path.iterdir())
    for wrong in ("report.txt", "nowhere/report.html"):
        with pytest.raises(UsageError, match="Expected"):
            comparison.save(tmp_path / wrong)
    assert sorted(tmp_path.iterdir()) == before
