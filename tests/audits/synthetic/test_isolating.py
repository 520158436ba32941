"""Singling out and copies: members against controls, and both against luck."""

from __future__ import annotations

import numpy as np
import pytest
from tests.audits.synthetic.generators import as_frame, copying, marginals, people

from reticent.audits.synthetic.isolating import TRIVIAL, copied, described, singled_out
from reticent.audits.synthetic.preparing import Prepared, prepared
from reticent.data.tables import Table
from reticent.randomness import Randomness


def ready(generator, seed: int = 0, rows: int = 300) -> Prepared:
    rng = np.random.default_rng(seed)
    source, control = people(rows, rng), people(2 * rows, rng)
    return prepared(generator(source, seed), source, control, randomness=Randomness.simulated(seed))


def test_copies_against_pandas() -> None:
    found = ready(copying(0.3))
    one = copied(found)
    frames = {name: as_frame(table) for name, table in found.tables.items()}
    for side in ("members", "controls"):
        there = frames[side].merge(frames["release"].drop_duplicates(), how="inner")
        kept = {**one.finding.estimates, **one.finding.baseline}
        assert kept[f"{side} copied exactly"].value == pytest.approx(len(there) / len(frames[side]))
    times = frames["members"].merge(frames["release"], how="inner")
    assert one.finding.details["copies of members"] == len(times)
    assert one.tests["copied exactly"].more < 1e-6
    assert one.tests["how often copied"].more < 1e-6


def test_predicates_isolate_members_of_a_copied_table_far_beyond_luck() -> None:
    one = singled_out(ready(copying(1.0)), 400)
    member, control = one.finding.estimates["isolate a member"], one.finding.baseline["isolate a control"]
    assert member.low > 0.9 > TRIVIAL > control.high
    assert one.tests["rows isolated"].more < 1e-9
    assert one.finding.details["trivial"] == pytest.approx(0.3679, abs=1e-4)


def test_luck_alone_is_not_accused() -> None:
    one = singled_out(ready(marginals), 400)
    assert one.tests["rows isolated"].more > 1e-6
    assert one.finding.estimates["isolate a member"].value < 0.1


def test_too_few_predicates_and_too_few_columns_are_said() -> None:
    coins = Table.of({"x": [0, 1] * 50})
    found = prepared(coins, coins, coins, coins, randomness=Randomness.simulated(1))
    assert "50 are needed" in singled_out(found, 100).finding.reason
    assert list(copied(found).tests) == ["copied exactly", "how often copied"]


def test_distances_are_called_descriptions() -> None:
    found = described(ready(marginals))
    assert "no test of privacy" in str(found["note"])
    assert len(found["to the source"]["closest"]) == 3  # type: ignore[index]
