"""`reticent demo`: what a network gives away, on real data, and what private training does about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["demo"]


def demo(
    data: Annotated[
        str,
        typer.Option(
            help="Data set: a classification set from `reticent data list`.  [default: diabetes]", show_default=False
        ),
    ] = "diabetes",
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Where to write the report (.html or .json).  [default: reticent-demo.html]",
            show_default=False,
        ),
    ] = Path("reticent-demo.html"),
    epsilon: Annotated[
        list[float] | None, typer.Option(help="Epsilon of a private training; repeat for several.  [default: 1, 3, 10]")
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Delta of the promise, below 1/n.  [default: a power of ten <= 1/(2n)]")
    ] = None,
    shadows: Annotated[
        int, typer.Option(help="Shadow models for each training.  [default: 64]", show_default=False)
    ] = 64,
    records: Annotated[
        int, typer.Option(help="Use at most so many records, drawn at random.  [default: 1000]", show_default=False)
    ] = 1000,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Make the run repeatable. The private networks then promise nothing, and the report says so."
        ),
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes.  [default: all cores]")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the record as JSON instead of a summary.")] = False,
) -> None:
    """Train an ordinary network on real data, attack it, train it privately, attack it again, and write a report."""
    from reticent import _checks
    from reticent.cli._output import bars, errors, writable
    from reticent.randomness import Randomness

    target = writable(output, (".html", ".json"))
    _checks.at_least(4, shadows=shadows)
    _checks.at_least(40, records=records)
    source = Randomness.secure() if seed is None else Randomness.simulated(seed)

    from reticent.audits import compare, split, standard_arms
    from reticent.data.sampling import ready_set

    everyone = ready_set(data, source, most=records)
    members, nonmembers = split(everyone, source)
    with bars(quiet=json) as report:
        arms = standard_arms(members, epsilons=tuple(epsilon) if epsilon else (1.0, 3.0, 10.0), delta=delta)
        if not json:
            errors.print(
                f"{everyone.name}: {len(members)} members, {len(nonmembers)} others, drawn by coin flips. "
                f"Training {shadows} shadow models for each network.",
                markup=False,
            )
        comparison = compare(
            members, nonmembers, arms, shadows=shadows, coins=True, jobs=jobs, randomness=source, progress=report
        )
    comparison.save(target)
    if json:
        import sys

        sys.stdout.write(comparison.record.to_json().decode() + "\n")
    else:
        _summary(comparison.record.body, target)


def _summary(body: dict[str, Any], target: Path) -> None:
    from rich.table import Table

    from reticent.cli._output import output
    from reticent.reports import words

    for sentence in words.verdict(body["arms"], body["data"]):
        output.print(sentence + "\n", markup=False, soft_wrap=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (
        "training",
        "promise",
        "accuracy, unseen",
        "right one of two",
        "named at 1 % false alarms",
        "exposed",
    ):
        table.add_column(heading, overflow="fold")
    for arm in body["arms"]:
        estimates = arm["audit"]["repeated"]["estimates"]
        promise = arm["promise"]
        table.add_row(
            arm["name"],
            f"epsilon {words.shown(words.round_up(promise['epsilon'], 3))}" if promise else "none",
            words.estimate(estimates["accuracy on non-members"]),
            words.estimate(estimates["auc"]),
            words.estimate(estimates.get("true_positive_rate_at_0.01")),
            words.exposed(arm["audit"]),
        )
    output.print(table)
    if body["repeatable"]:
        output.print("\nSeeded run: the private networks of this run are simulations and promise nothing.")
    output.print(f"\nReport: {target}", markup=False)
