"""What an audit of a synthetic table found: findings, tests that share an error rate, and what could have been found.

Promise: a leak is called found only where the test's p-value, adjusted for all tests made (Holm, 1979), is at most the
level; where source and control differ without the release, nothing that compares them is called found, and the findings
say so (shadow releases have memberships of their own, and stand). Where an
attack does better on controls than on members the difference is shown with its sign, and tested as well.

Example:
    >>> from reticent.audits.synthetic.exact import PValues
    >>> from reticent.audits.synthetic.outcome import adjusted
    >>> [test.p_adjusted for test in adjusted({("copies", "exact"): PValues(0.01, 1.0),
    ...                                        ("linkage", "gain"): PValues(0.5, 0.5)})]
    [0.02, 0.5]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reticent.audits.multiplicity import holm
from reticent.audits.synthetic.exact import PValues
from reticent.audits.synthetic.exposed import RowsAtRisk
from reticent.audits.synthetic.power import Power
from reticent.evidence import Finding, Record, now, software

__all__ = ["GENERATOR", "NOT_TESTED", "Result", "SyntheticAudit", "Test", "adjusted"]

GENERATOR = "the generator"
"""The target of findings about fresh releases, whose memberships were drawn by coins."""

_SINGLE = "single people at risk"

NOT_TESTED = {
    _SINGLE: "tests are about members on the whole; a few outliers can be exposed where the average is "
    "not; at_risk= (--at-risk) lists rows",
    "several releases of one source": "each further release adds to what is given away",
    "the generator itself": "its parameters, if they are published, were not attacked",
    "attackers with data of their own": "the attacker here has the reference and the release, and nothing about a "
    "person but the columns named",
    "the release's own rows": "a row that belongs to no source can still be somebody's by chance",
}


@dataclasses.dataclass(frozen=True)
class Result:
    """One attack's finding with its tests, before they are adjusted for each other.

    Attributes:
        finding: the figures.
        tests: name of each test to its p-values.
    """

    finding: Finding
    tests: Mapping[str, PValues] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Test:
    """One test of the family.

    Attributes:
        attack: the finding that it belongs to.
        name: what was tested.
        p: that members do so much better than controls by chance.
        p_adjusted: the same, adjusted for all tests.
        p_reverse: that they do so much worse.
        p_reverse_adjusted: the same, adjusted for all tests.
    """

    __test__ = False  # it is no test of pytest's

    attack: str
    name: str
    p: float
    p_adjusted: float
    p_reverse: float
    p_reverse_adjusted: float


def adjusted(tests: Mapping[tuple[str, str], PValues]) -> tuple[Test, ...]:
    """The tests with p-values adjusted so that the chance of any false one stays below the level (Holm, 1979)."""
    if not tests:
        return ()
    more = holm(np.array([one.more for one in tests.values()]))
    less = holm(np.array([one.less for one in tests.values()]))
    return tuple(
        Test(attack, name, one.more, float(up), one.less, float(down))
        for ((attack, name), one), up, down in zip(tests.items(), more, less, strict=True)
    )


@dataclasses.dataclass(frozen=True, eq=False)
class SyntheticAudit:
    """An audit of a synthetic table.

    Attributes:
        findings: one for each attack, run or not.
        tests: all tests, adjusted for each other.
        power: what could have been found.
        level: the error rate of all tests together.
        fair: whether source and control could not be told apart without the release.
        details: sizes, columns, how the audit was made; plain values.
        at_risk: lists of single rows of the source, if they were asked for.
    """

    findings: tuple[Finding, ...]
    tests: tuple[Test, ...]
    power: Power
    level: float
    fair: bool
    details: Mapping[str, Any]
    at_risk: tuple[RowsAtRisk, ...] = ()
    created: str = dataclasses.field(default_factory=now)

    @property
    def found(self) -> tuple[str, ...]:
        """Attacks that found a leak, with the error rate shared by all tests; fair ones only."""
        standing = {one.attack for one in self.findings if self.fair or one.target == GENERATOR}
        hits = (test.attack for test in self.tests if test.p_adjusted <= self.level and test.attack in standing)
        return tuple(dict.fromkeys(hits))

    @property
    def reversed(self) -> tuple[str, ...]:
        """Attacks that do better on controls than on members, beyond chance: a reason to distrust the control."""
        return tuple(dict.fromkeys(test.attack for test in self.tests if test.p_reverse_adjusted <= self.level))

    def __str__(self) -> str:
        from reticent.reports.synthetic import sentences

        return "\n".join(sentences(self.as_dict()))

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "findings": [one.as_dict() for one in self.findings],
            "tests": [dataclasses.asdict(one) for one in self.tests],
            "power": self.power.as_dict(),
            "level": self.level,
            "fair": self.fair,
            "found": list(self.found),
            "reversed": list(self.reversed),
            "at_risk": [one.as_dict() for one in self.at_risk],
            "not_tested": {name: why for name, why in NOT_TESTED.items() if name != _SINGLE or not self.at_risk},
            "software": software(),
            **self.details,
        }

    def record(self) -> Record:
        """The audit as a record of kind "synthetic"."""
        return Record("synthetic", self.as_dict(), created=self.created)

    def save(self, path: str | Path) -> Path:
        """Write the page (`.html`) or the record (`.json`).

        Raises:
            UsageError: another ending, or a place that cannot be written.
        """
        from reticent.reports import save

        return save(self.record(), path)
