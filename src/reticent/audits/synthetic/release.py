"""Does a synthetic table give away the rows that it was made from? Attacks, with rows it was not made from beside.

Promise: every attack runs on members (rows of the source) and on controls (rows like them that were not used), and has
a baseline that does without the release. A leak is called found when it is significant among all tests made. Distances
are described and never called a test. What was not run says why.

Attacks: membership by density ratio and by calibrated distance; with a generator to call, membership learned from
shadow releases; attribute inference; linkage of two halves of the columns; singling out; exact and near copies.

Not covered: `reticent.audits.synthetic.outcome.NOT_TESTED`. An audit that finds nothing is no proof that nothing is
there: `power` says how large a leak would have been found.

Example:
    >>> from reticent.audits.synthetic import audit_release
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(2)
    >>> def people(rows):
    ...     return Table.of({name: source.normal(rows).round(3) for name in ("height", "weight", "income")})
    >>> train, others = people(300), people(600)
    >>> found = audit_release(train, source=train, control=others, secrets=["income"], randomness=source)
    >>> found.fair, "copies" in found.found
    (True, True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from reticent import _checks
from reticent.audits.synthetic import shadows as shadowing
from reticent.audits.synthetic.differences import attributes, linkage
from reticent.audits.synthetic.exposed import RowsAtRisk, in_release
from reticent.audits.synthetic.isolating import copied, described, singled_out
from reticent.audits.synthetic.outcome import GENERATOR, Result, SyntheticAudit, adjusted
from reticent.audits.synthetic.power import power
from reticent.audits.synthetic.preparing import Prepared, blind, equal, prepared
from reticent.audits.synthetic.scoring import memberships
from reticent.audits.synthetic.shadows import Generator
from reticent.data.tables import as_table
from reticent.evidence import Estimate, Finding, Status
from reticent.randomness import Randomness, required

__all__ = ["audit_release"]

_UNFAIR = "source and control can be told apart without the release, so a difference between them is no evidence"


def audit_release(
    release: Any,
    *,
    source: Any,
    control: Any,
    reference: Any = None,
    generator: Generator | None = None,
    columns: Sequence[str] | None = None,
    secrets: Sequence[str] | None = None,
    known: Sequence[str] | None = None,
    halves: tuple[Sequence[str], Sequence[str]] | None = None,
    owner: str | None = None,
    name: str = "the release",
    randomness: Randomness | None = None,
    level: float = 0.05,
    confidence: float = 0.95,
    most: int = 2000,
    predicates: int = 1000,
    generations: int = 16,
    targets: int = 400,
    at_risk: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> SyntheticAudit:
    """Attack a synthetic table.

    Args:
        release: the synthetic table, or what `as_table` takes (a frame, a path, an address).
        source: the rows that it was made from.
        control: rows drawn like the source that it was not made from.
        reference: rows that the attacker has, none of them in source or control; by default half of the control.
        generator: makes a table from a table and a seed; without it nothing is learned from shadow releases.
        columns: the columns that are attacked; by default all of the release.
        secrets: columns that are guessed; by default each in turn.
        known: what the attacker knows of a person when guessing; by default all other columns.
        halves: the columns of two places that are linked; by default every other one.
        owner: the column of source and control that says whose a row is.
        name: of the release, for the report.
        randomness: source of all draws; the operating system's by default.
        level: error rate of all tests together.
        confidence: of each interval by itself.
        most: rows that are judged on each side.
        predicates: descriptions that are drawn for singling out.
        generations: shadow releases.
        targets: rows that are judged in shadow releases.
        at_risk: list single rows of the source that are exposed, by their numbers: the share of such a list that may be
            there by chance (false discovery rate), 0.1 say. Not done by default.
        progress: called with a name, how many are done, and of how many.

    Raises:
        NotEnoughEvidence: fewer than 20 rows in a table.
        UsageError: a column that is not there, or settings that cannot mean anything.
        DataError: columns of different kinds.
    """
    _checks.open_fraction(level=level)
    _checks.open_fraction(confidence=confidence)
    _checks.at_least(1, most=most)
    if at_risk is not None:
        _checks.open_fraction(at_risk=at_risk)
    source_of_draws = Randomness.secure() if randomness is None else required(randomness)
    tables = [as_table(one) for one in (release, source, control)]
    ready = prepared(
        tables[0],
        tables[1],
        tables[2],
        None if reference is None else as_table(reference),
        randomness=source_of_draws,
        columns=columns,
        owner=owner,
        most=most,
        confidence=confidence,
    )
    report = progress or (lambda name, done, total: None)
    without = blind(ready)
    fair = all(one.contains(0.5) for one in without.values())
    lists = [] if at_risk is None else [in_release(ready, at_risk, fair=fair)]
    steps: list[tuple[str, Callable[[], list[Result]]]] = [
        ("membership", lambda: memberships(ready, without)),
        ("attributes", lambda: attributes(ready, secrets, known)),
        ("linkage", lambda: [linkage(ready, halves)]),
        ("singling out", lambda: [singled_out(ready, predicates)]),
        ("copies", lambda: [copied(ready)]),
        (
            "shadow releases",
            lambda: _shadows(ready, generator, generations, targets, without, at_risk, lists, progress),
        ),
    ]
    results: list[Result] = []
    for place, (_, step) in enumerate(steps):
        results += step()
        report("attacks", place + 1, len(steps))
    tests = adjusted({(one.finding.attack, key): p for one in results for key, p in one.tests.items()})
    return SyntheticAudit(
        tuple(_judged(one.finding, fair) for one in results),
        tests,
        power(len(ready.members), len(ready.controls), tests=max(len(tests), 1), level=level),
        level,
        fair,
        {
            "name": name,
            "rows": {**{key: table.rows for key, table in ready.tables.items()}, "source": tables[1].rows},
            "columns": list(ready.tables["release"].names),
            "owner": owner,
            "without": {key: one.as_dict() for key, one in without.items()},
            "description": described(ready),
            "controls_equal_to_a_member": equal(ready.controls, ready.members),
            "reference_equal_to_a_member": equal(ready.reference, ready.members),
            "repeatable": not source_of_draws.is_secure,
        },
        tuple(lists),
    )


def _shadows(
    ready: Prepared,
    generator: Generator | None,
    generations: int,
    targets: int,
    without: dict[str, Estimate],
    at_risk: float | None,
    lists: list[RowsAtRisk],
    progress: Callable[[str, int, int], None] | None,
) -> list[Result]:
    if generator is None:
        reason = "there is no generator to call; one release says nothing of another"
        return [Result(Finding.not_run("shadow releases", GENERATOR, "the generator to call", reason=reason))]
    made = shadowing.made(ready, generator, count=generations, targets=targets, progress=progress)
    if at_risk is not None:
        lists.append(shadowing.rows_at_risk(ready, made, at_risk))
    return shadowing.findings(ready, made, without)


def _judged(finding: Finding, fair: bool) -> Finding:
    """The finding; inconclusive where the control is unfair, but for attacks whose memberships were drawn by coins."""
    if fair or finding.status is not Status.EXECUTED or finding.target == GENERATOR:
        return finding
    return Finding.from_dict({**finding.as_dict(), "status": "inconclusive", "reason": _UNFAIR})
