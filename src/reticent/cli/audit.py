"""`reticent audit`: what a model gives away; with `--selftest`, whether the audits themselves are to be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reticent.audits.selftest import SelfTest
    from reticent.randomness import Randomness

__all__ = ["audit"]

GATE_FAILED = 1


def audit(
    selftest: Annotated[
        bool,
        typer.Option("--selftest", help="Audit models and mechanisms whose truth is known; exit code 1 if one fails."),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A shorter self-test: half a minute in place of two minutes.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    seed: Annotated[int | None, typer.Option(help="Make the run repeatable.")] = None,
) -> None:
    """Audit what is known: are leaks found where there are some, and none where there are none?"""
    from reticent.errors import UsageError
    from reticent.randomness import Randomness

    if not selftest:
        raise UsageError("Expected --selftest, got nothing to audit.", "Run reticent audit --selftest.")
    source = Randomness.secure() if seed is None else Randomness.simulated(seed)
    found = _selftest(source, quick=quick, json=json)
    if not found.passed:
        raise typer.Exit(GATE_FAILED)


def _selftest(source: Randomness, *, quick: bool, json: bool) -> SelfTest:
    from reticent.audits.selftest import selftest
    from reticent.cli._output import bars, print_json

    with bars(quiet=json) as report:
        found = selftest(randomness=source, quick=quick, progress=report)
    if json:
        print_json(found.as_dict())
    else:
        _show(found)
    return found


def _show(found: SelfTest) -> None:
    from rich.table import Table

    from reticent.cli._output import output

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("item", "", "seen", "s"):
        table.add_column(heading, overflow="fold")
    for one in found.outcomes:
        table.add_row(one.name, "passed" if one.passed else "FAILED", one.seen, f"{one.seconds:.1f}")
    output.print(table)
    for one in found.failed:
        output.print(f"\nFAILED {one.name}: expected {one.expected}. {one.meaning}", markup=False)
    passed = len(found.outcomes) - len(found.failed)
    output.print(f"\n{passed} of {len(found.outcomes)} items passed.")
