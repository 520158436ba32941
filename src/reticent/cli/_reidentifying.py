"""What the commands of `reticent reidentify` share: options, where results go, and gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from reticent.attacks.reidentification import Knowledge
    from reticent.evidence import Estimate, Record
    from reticent.randomness import Randomness

__all__ = [
    "GATE_FAILED",
    "NOT_RESOLVABLE",
    "AtMost",
    "Beyond",
    "Calibration",
    "Date",
    "DatesAre",
    "Item",
    "Known",
    "Level",
    "Moved",
    "Person",
    "Rating",
    "Seed",
    "Targets",
    "Within",
    "Wrong",
    "judge",
    "knowledge",
    "pairs",
    "source",
    "tell",
    "whole",
]

GATE_FAILED = 1
NOT_RESOLVABLE = 3

Seed = Annotated[int | None, typer.Option(help="Make the run repeatable.")]
AtMost = Annotated[
    float | None,
    typer.Option(help="Exit with 1 if a larger share was shown, with 3 if that cannot be told with so many targets."),
]
Person = Annotated[str, typer.Option(help="Column: whose rating it is.")]
Item = Annotated[str, typer.Option(help="Column: of what.")]
Rating = Annotated[str, typer.Option(help="Column of values; '' for none.")]
Date = Annotated[str, typer.Option(help="Column of dates; '' for none.")]
DatesAre = Annotated[str, typer.Option(help="dates; or days or seconds since 1970.")]
Known = Annotated[str, typer.Option(help="How many ratings of a person are known.")]
Within = Annotated[str, typer.Option(help="By how many days known dates are off; none if not known.")]
Wrong = Annotated[int, typer.Option(help="How many of the known items are wrong.")]
Moved = Annotated[float, typer.Option(help="The share of known values that are off by one.")]
Beyond = Annotated[int, typer.Option(help="Known items are not among so many of the most popular ones.")]
Targets = Annotated[int, typer.Option(help="How many people are looked for.")]
Calibration = Annotated[int, typer.Option(help="On how many others method and threshold are chosen.")]
Level = Annotated[float, typer.Option(help="The share of absent people an attacker is willing to name.")]


def source(seed: int | None) -> Randomness:
    """The generator that was asked for."""
    from reticent.randomness import Randomness

    return Randomness.secure() if seed is None else Randomness.simulated(seed)


def tell(record: Record, place: Path | None, *, json: bool) -> None:
    """Write the record where it was asked for, and say what it says."""
    from reticent.cli._output import output, print_json
    from reticent.evidence import parse
    from reticent.reports import save, sentences_of

    if place is not None:
        save(record, place)
    if json:
        print_json(parse(record.to_json()))
        return
    for sentence in sentences_of(record):
        output.print(sentence + "\n", markup=False, soft_wrap=False)
    if place is not None:
        output.print(f"Written: {place}", markup=False)


def judge(shares: Sequence[Estimate], limit: float | None, possible: Sequence[Estimate] | None = None) -> None:
    """Exceeded if one of the shares is larger, at an error that all of them share; kept to if none may be larger.

    Args:
        shares: counted ones.
        limit: the largest share that is allowed.
        possible: what they are at most, where some of what was tried could not be judged.
    """
    from reticent import _checks
    from reticent.cli._output import errors
    from reticent.evidence.intervals import clopper_pearson

    if limit is None:
        return
    limit = _checks.fraction(at_most=limit)
    lowest = [shares[0].low]
    if len(shares) > 1:
        errors_each = [(1 - one.confidence) / len(shares) for one in shares]
        lowest = [
            clopper_pearson(round(one.value * one.n), one.n, 1 - error)[0]
            for one, error in zip(shares, errors_each, strict=True)
        ]
    if any(low > limit for low in lowest):
        errors.print(
            f"EXCEEDED: a share is more than {limit:g}, at the lower ends of {len(shares)} intervals together.",
            markup=False,
        )
        raise typer.Exit(GATE_FAILED)
    if any(share.high > limit for share in (shares if possible is None else possible)):
        errors.print(f"NOT RESOLVABLE: a share may be more than {limit:g}; more targets would tell.", markup=False)
        raise typer.Exit(NOT_RESOLVABLE)


def knowledge(known: str, within: str, *, dated: bool, **more: Any) -> list[Knowledge]:
    """Every kind of knowledge that was asked for; without dates where the ratings have none."""
    from reticent.attacks.reidentification import Knowledge

    parts = within.split(",") if dated else ["none"]
    days = [None if part.strip() == "none" else whole("within", part)[0] for part in parts]
    return [Knowledge(items, days=one, **more) for one in days for items in whole("known", known)]


def whole(name: str, text: str) -> list[int]:
    """Whole numbers with commas between."""
    from reticent.errors import UsageError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"Expected whole numbers with commas between, got {name}={text!r}.", "Write them as 2,4,8."
        ) from error


def pairs(texts: Sequence[str], read: Callable[[str], Any], *, what: str, example: str) -> dict[str, Any]:
    """Texts such as zip=code as a table.

    Args:
        texts: one pair each.
        read: makes a value of the second half; raises ValueError if it cannot.
        what: a pair is, as NAME=VALUE.
        example: of a pair.
    """
    from reticent.errors import UsageError

    found = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        try:
            if not equals or not name:
                raise ValueError
            found[name] = read(value)
        except ValueError as error:
            raise UsageError(f"Expected {what}, got {text!r}.", f"Write it as {example}.") from error
    return found
