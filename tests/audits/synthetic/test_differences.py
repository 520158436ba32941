"""What a release adds, for members beyond controls; what it teaches about the population is no leak."""

from __future__ import annotations

import numpy as np
import pytest
from tests.audits.synthetic.generators import blurring, people

from reticent.audits.synthetic.differences import GAIN, attributes, figures, linkage
from reticent.audits.synthetic.exact import gain_test
from reticent.audits.synthetic.preparing import Prepared, prepared
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness


def ready(generator, rows: int = 300) -> Prepared:
    rng = np.random.default_rng(0)
    source, control = people(rows, rng), people(2 * rows, rng)
    return prepared(generator(source, 1), source, control, randomness=Randomness.simulated(1))


def test_figures_are_paired_and_keep_their_sign() -> None:
    rng = np.random.default_rng(2)
    with_it, without = rng.random(80) < 0.6, rng.random(80) < 0.3
    controls = rng.random(90) < 0.5, rng.random(90) < 0.6
    estimates, baseline, tests = figures({"members": (with_it, without), "controls": controls}, 0.95)
    gains = [with_it.astype(int) - without, controls[0].astype(int) - controls[1]]
    assert estimates["members, gained by it"].value == pytest.approx(gains[0].mean())
    assert estimates["controls, gained by it"].value == pytest.approx(gains[1].mean())
    assert estimates[GAIN].value == pytest.approx(gains[0].mean() - gains[1].mean())
    assert baseline["members, without the release"].value == pytest.approx(without.mean())
    assert tests["gain"] == gain_test(*gains)


def test_knowledge_about_the_population_is_no_leak() -> None:
    """Fresh people in place of a release, and more of them than the reference has: both sides gain, none more."""
    rng = np.random.default_rng(3)
    source, control, reference = people(400, rng), people(400, rng), people(40, rng)
    found = prepared(people(4000, rng), source, control, reference, randomness=Randomness.simulated(2))
    (one,) = attributes(found, ["sick"], None)
    assert one.finding.details["learned_from"] == 40  # so that the difference is one of tables, not of sizes
    assert one.tests["gain"].more > 1e-6


def test_an_overfitted_release_tells_members_secrets_and_links_their_halves() -> None:
    found = ready(blurring(0.02))
    for one in (*attributes(found, ["region"], ["age", "hours", "income"]), linkage(found, None)):
        assert one.tests["gain"].more < 1e-9
        assert one.finding.estimates[GAIN].low > 0.1
        assert abs(one.finding.estimates["controls, gained by it"].value) < 0.1
    halves = linkage(found, (["age", "income"], ["height", "job"]))
    assert halves.finding.details["first"] == ["age", "income"]
    assert halves.tests["gain"].more < 1e-6


def test_every_column_is_a_secret_in_turn_and_names_are_said_to_be_none() -> None:
    rng = np.random.default_rng(4)
    values = {"name": [f"n{i}" for i in range(400)], "x": rng.normal(size=400).tolist(), "y": ["a", "b"] * 200}
    table = Table.of(values)
    found = prepared(
        table, table.take(np.arange(200)), table.take(np.arange(200, 400)), randomness=Randomness.simulated(1)
    )
    names, x, y = attributes(found, None, None)
    assert names.finding.status.value == "not_run"
    assert "at most 200 values" in names.finding.reason
    assert x.finding.details["guessed"] == "the tenth in which the value lies"
    assert y.finding.details["known"] == ["name", "x"]
    with pytest.raises(DataError, match="at most 200 values"):
        attributes(found, ["name"], None)
    with pytest.raises(UsageError, match="known beside 'x'"):
        attributes(found, ["x"], ["x"])
    with pytest.raises(UsageError, match="two halves"):
        linkage(found, (["x"], ["x", "y"]))


def test_a_reference_too_small_for_decoys_and_a_single_column_are_said() -> None:
    one = Table.of({"x": list(range(60))})
    found = prepared(one, one, one, one, randomness=Randomness.simulated(1))
    assert linkage(found, None).finding.reason == "there is one column only"
