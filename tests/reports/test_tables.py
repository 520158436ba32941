"""Tables say what their figures carry: intervals, error rates, and what was refused."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from reticent.reports import tables
from reticent.reports.tables import Table, html


def share(value: float, low: float, high: float, confidence: float = 0.95) -> dict[str, Any]:
    return {
        "value": value,
        "low": low,
        "high": high,
        "confidence": confidence,
        "n": 64,
        "method": "",
        "threshold": None,
    }


def a_risk(row: int, p: float = 5.4e-19) -> dict[str, Any]:
    return {"row": row, "name": f"member {row}", "effect": share(0.98, 0.8, 1.0), "p": p}


def risks(count: int | None = 7, exposed: int | None = 3, shown: int = 2) -> dict[str, Any]:
    listed = [a_risk(row) for row in range(shown)]
    return {"tested": 1200, "models": 64, "level": 0.05, "confidence": 0.95, "count": count, "exposed": exposed,
            "listed": listed}  # fmt: skip


def groups(adjusted: float = 0.001, refused: tuple[str, ...] = ()) -> dict[str, Any]:
    def one(name: str, value: float, gap: float) -> dict[str, Any]:
        return {
            "name": name,
            "people": 1200,
            "records": 1300,
            "figures": {
                "auc": share(value, value - 0.05, value + 0.05),
                "true_positive_rate_at_0.1": share(0.2, 0.1, 0.3),
            },
            "difference": {
                name: {"value": share(gap, gap - 0.04, gap + 0.04), "p": adjusted, "adjusted": adjusted}
                for name in ("auc", "true_positive_rate_at_0.1")
            },
        }

    return {"groups": [one("<old>", 0.7, 0.1), one("young", 0.6, -0.1)], "refused": list(refused), "confidence": 0.95,
            "models": 64}  # fmt: skip


def test_the_list_is_told_with_its_error_rate() -> None:
    text = tables.about_risks(risks())
    assert text.startswith("7 of 1\u202f200 are listed as at risk from 64 trainings")
    assert "at most 5 % of such a list" in text
    assert "3 with 95 % confidence for all of them at once" in text


def test_nobody_listed_is_not_nobody_at_risk() -> None:
    assert "not thereby safe" in tables.about_risks(risks(count=0, exposed=0))
    assert "whatever they showed: more are needed" in tables.about_risks(risks(count=None, exposed=None))
    assert "could not show anything about one of them" in tables.about_risks(risks(exposed=None))


def test_records_at_risk_stand_with_effect_p_value_and_reasons() -> None:
    found = tables.risk_table(
        risks(),
        [
            {"row": 1, "reasons": [{"text": "outlier: far"}, {"text": "rare class: 3 of 1200"}]},
            {"row": 5, "reasons": []},
        ],
    )
    assert found.rows == (
        ("member 0", "98.0 % (80.0 to 100.0)", "5.4e-19", "not looked for"),
        ("member 1", "98.0 % (80.0 to 100.0)", "5.4e-19", "outlier: far; rare class: 3 of 1200"),
    )
    assert "The 2 surest of 7" in found.caption
    assert "false discovery rate 5 %" in found.caption
    assert "All 2 records" in tables.risk_table(risks(count=2)).caption
    assert tables.risk_table(risks(), [{"row": 0, "reasons": []}]).rows[0][3] == "none found"


def test_predictive_values_stand_under_their_base_rates() -> None:
    entry = {
        "threshold": "other models",
        "true_positive_rate": share(0.3, 0.2, 0.4),
        "false_positive_rate": share(0.01, 0.005, 0.02),
        "advantage": share(0.29, 0.18, 0.395),
        "predictive": [
            {"base_rate": 0.5, "value": share(0.968, 0.93, 0.99)},
            {"base_rate": 0.001, "value": None},
        ],
    }
    found = tables.predictive_table([entry])
    assert found.columns[-2:] == ("Right, if 50 % are members", "Right, if 0.1 % are members")
    assert found.rows[0][-2:] == ("96.8 % (93.0 to 99.0)", "nobody named")
    assert tables.predictive_table([]).rows == ()


def test_the_spread_says_how_many_trainings_and_how_sure_a_range_is() -> None:
    figure = {
        "values": [0.5, 0.6, 0.6, 0.6, 0.7],
        "median": share(0.6, 0.5, 0.7, 0.9375),
        "mean": share(0.61, 0.55, 0.66),
    }
    found = tables.spread_table({"auc": figure, "true_positive_rate_at_0.01": figure})
    assert "What 5 trainings give away" in found.caption
    median, mean = "60.0 % (50.0 to 70.0), 93.75 % confidence", "61.0 % (55.0 to 66.0)"
    assert found.rows[0] == ("Right one of two", median, mean, "50.0 % to 70.0 %")
    assert found.rows[1][0] == "Members named at 1 % false alarms"


def test_people_are_shown_by_every_way_and_the_chosen_one_is_marked() -> None:
    found = tables.person_table(
        {
            "chosen": "largest",
            "people": 60,
            "records": 300,
            "confidence": 0.95,
            "ways": {
                "sum": {"auc": share(0.6, 0.5, 0.7)},
                "largest": {"auc": share(0.7, 0.6, 0.8), "true_positive_rate_at_0.1": share(0.3, 0.2, 0.4)},
            },
        }
    )
    assert [row[0] for row in found.rows] == ["sum of the rows' evidence", "the row with most evidence (chosen)"]
    assert found.rows[0][2] == "not resolvable"
    assert "60 people by their 300 records" in found.caption


def test_groups_stand_with_their_difference_and_the_refused_are_named() -> None:
    found = tables.group_table(groups(refused=("few",)))
    assert found.rows[0][2] == "70.0 % (65.0 to 75.0); +10.0 points (+6.0 to +14.0), p = 0.001"
    assert found.rows[1][:2] == ("young", "1\u202f200")
    assert "for all 2 groups at once" in found.caption
    assert "Too small to say anything about: few." in found.caption
    assert "Too small" not in tables.group_table(groups()).caption


def test_differences_are_told_only_where_they_were_seen() -> None:
    text = tables.about_groups(groups())
    assert "“<old>” is given away more than everybody else (+10.0" in text
    assert "“young” is given away less" in text
    assert "not proof that there is none" in tables.about_groups(groups(adjusted=0.2))


@pytest.mark.parametrize("made", [tables.group_table(groups()), tables.risk_table(risks())], ids=["groups", "risks"])
def test_html_is_well_formed_and_escaped(made: Table) -> None:
    text = html(made)
    assert "<old>" not in text
    tree = ElementTree.fromstring(text)
    assert len(tree.findall(".//tbody/tr")) == len(made.rows)
    assert {len(row) for row in tree.findall(".//tr")} == {len(made.columns)}
    cells = [cell.text for cell in tree.findall(".//tbody/tr/td")]
    assert cells == [cell for row in made.rows for cell in row]


@pytest.mark.parametrize(("value", "shown"), [(0.0314159, "0.032"), (1e-300, "1e-300"), (1.0, "1"), (0.5, "0.5")])
def test_a_p_value_is_never_rounded_to_zero(value: float, shown: str) -> None:
    assert tables.p_value(value) == shown


def test_single_words_are_not_broken_into_lines() -> None:
    text = html(Table("c", ("a",), (("1.7e-09", "two words", "x" * 40),)))
    assert '<td class="whole">1.7e-09</td><td>two words</td><td>' in text


def test_the_surest_are_named_and_the_rest_counted() -> None:
    assert tables.names_of(risks()) == "member 0, member 1 and 5 more"
    assert tables.names_of(risks(count=2)) == "member 0, member 1"
