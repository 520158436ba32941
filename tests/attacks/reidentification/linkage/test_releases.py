"""Forms of a release, and what each of them gives away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reticent.attacks.reidentification.linkage import People, effects, link, weaker
from reticent.data.tables import Column, Table
from reticent.randomness import Randomness


def people(rows: int, seed: int = 0) -> Table:
    generator = np.random.default_rng(seed)
    letters = list("abcdefghij")
    return Table.of(
        {
            "name": ["".join(generator.choice(letters, 8)) for _ in range(rows)],
            "zip": [f"{value:05d}" for value in 10_000 + 13 * generator.integers(0, 60, rows)],
            "born": [str(np.datetime64("1940-01-01") + int(day)) for day in generator.integers(0, 20_000, rows)],
            "number": [f"{value:09d}" for value in 100_000_000 + 7919 * np.arange(rows)],
            "weight": generator.integers(40, 120, rows),
        }
    )


def test_each_form_gives_less() -> None:
    table = people(400)
    forms = weaker(table, Randomness.simulated(0), k=3)
    assert list(forms) == ["plain", "noised", "without names", "generalised", "k-anonymous"]
    assert forms["without names"][0].names == ("zip", "born", "weight")
    coarse = forms["generalised"][0]
    assert all(value.endswith("**") and len(value) == 5 for value in coarse["zip"].values)
    assert set(coarse["born"].values) <= {str(year) for year in range(1940, 1996)}
    assert len(coarse["weight"].values) == 10
    kept, rows = forms["k-anonymous"]
    assert kept.classes().sizes.min(initial=3) >= 3
    assert len(kept) == len(rows) >= 200
    noised = forms["noised"][0]
    changed = np.mean([a != b for a, b in zip(noised["name"].cells(), table["name"].cells(), strict=True)])
    assert 0.05 < changed < 0.15


def test_ranges_hold_what_they_replace() -> None:
    table = people(300)
    coarse = weaker(table, Randomness.simulated(0))["generalised"][0]
    for text, value in zip(coarse["weight"].cells(), table["weight"].cells(), strict=True):
        low, _, high = text.partition(" to ")
        assert int(low) <= value <= int(high)


@pytest.mark.filterwarnings("ignore:column 'number' looks like an identifier")
@pytest.mark.slow
def test_less_is_found_in_weaker_forms(tmp_path: Path) -> None:
    table = people(600)
    release = table.take(np.arange(300))
    truth = People(np.arange(300), np.arange(600))
    found = effects(release, table, Randomness.simulated(0), truth=truth)
    shares = [found.named[name].value for name in ("plain", "without names", "generalised", "k-anonymous")]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.99
    assert shares[-1] < 0.1
    assert all(one.n == 300 for one in found.named.values())
    page = found.save(tmp_path / "effects.html").read_text("utf-8")
    assert "k-anonymous" in page
    assert "<script" not in page


@pytest.mark.slow
def test_a_form_of_nobody_says_so() -> None:
    table = people(40)
    truth = People(np.arange(40), np.arange(40))
    forms = {"plain": (table, np.arange(40)), "nobody": (table.take(np.arange(0)), np.arange(0))}
    found = effects(table, table, Randomness.simulated(0), truth=truth, forms=forms)
    assert found.forms["nobody"] is None
    assert "two rows" in found.reasons["nobody"]
    assert "nobody" not in found.named
    assert found.as_dict()["forms"][1]["named"] is None


@pytest.mark.slow
def test_the_plain_form_is_what_is_attacked_alone() -> None:
    """The same draws, columns and kinds, whether other forms are attacked beside it or not."""
    table = people(300).without(["number", "name"])
    numbers = Column.of("pid", [f"{one}" for one in range(300)])
    register = table.replaced([numbers])
    release = register.replaced([Column.of("dose", np.arange(300) % 7)]).take(np.arange(200))
    truth = People.of(release, register, "pid")
    kinds = {"weight": "code"}
    alone = link(release, register, Randomness.simulated(3), truth=truth, kinds=kinds)
    forms = {name: (release, np.arange(200)) for name in ("plain", "again")}
    found = effects(release, register, Randomness.simulated(3), truth=truth, forms=forms, kinds=kinds)
    for one in found.forms.values():
        assert one is not None
        assert one.finding.estimates == alone.finding.estimates
        assert one.finding.details["fields"] == {"zip": "code", "born": "date", "weight": "code"}


@pytest.mark.slow
def test_kinds_hold_for_forms_that_keep_the_values() -> None:
    table = people(200).select(["zip", "born", "weight"])
    release, truth = table.take(np.arange(100)), People(np.arange(100), np.arange(200))
    forms = weaker(release, Randomness.simulated(0), k=2, register=table, kinds={"zip": "code"})
    chosen = {name: forms[name] for name in ("plain", "generalised")}
    kinds = {"zip": "code"}
    found = effects(release, table, Randomness.simulated(0), truth=truth, forms=chosen, kinds=kinds)
    asked = [one.finding.details["fields"]["zip"] for one in found.forms.values() if one is not None]
    assert asked == ["code", "prefix"]


def test_a_table_of_names_alone_has_no_weaker_form() -> None:
    forms = weaker(people(50).select(["name"]), Randomness.simulated(0))
    assert list(forms) == ["plain", "noised"]
    assert len(forms["noised"][0]) == 50
