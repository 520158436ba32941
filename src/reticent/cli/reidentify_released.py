"""`reticent reidentify released`: whose rows are in a file that was given away, held against its original."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reticent.cli._reading import Header
from reticent.cli._reidentifying import (
    AtMost,
    Beyond,
    Calibration,
    Date,
    DatesAre,
    Item,
    Known,
    Level,
    Moved,
    Person,
    Rating,
    Seed,
    Targets,
    Within,
    Wrong,
    judge,
    knowledge,
    pairs,
    source,
    tell,
)
from reticent.cli._tables import names
from reticent.cli._writing import Json, Output, Overwrite, new

if TYPE_CHECKING:
    from reticent.data.ratings import Columns

__all__ = ["released"]


def released(
    original: Annotated[str, typer.Argument(help="The ratings that it was made from: CSV, Parquet, JSON lines, SQL.")],
    release: Annotated[str, typer.Argument(help="What was given away, as well.")],
    truth: Annotated[
        str | None,
        typer.Option(
            help="A table of released and original names of people; or kept, if these are the same. Without it nobody "
            "can tell how many names are right, and none are counted."
        ),
    ] = None,
    truth_columns: Annotated[str, typer.Option(help="Its columns: the released name, the original one.")] = (
        "pseudonym,person"
    ),
    person: Person = "person",
    item: Item = "item",
    rating: Rating = "rating",
    date: Date = "date",
    dates_are: DatesAre = "dates",
    released_person: Annotated[str | None, typer.Option(help="The same in the release; as above by default.")] = None,
    released_item: Annotated[str | None, typer.Option(help="The same.")] = None,
    released_rating: Annotated[str | None, typer.Option(help="The same; '' for none.")] = None,
    released_date: Annotated[
        str | None, typer.Option(help="The same; '' for none. Months (2005-03) and years are understood.")
    ] = None,
    released_dates_are: Annotated[str | None, typer.Option(help="The same.")] = None,
    scale: Annotated[
        str | None,
        typer.Option(help="Which released value each original one became, as 1=0,2=0,3=1; found out by default."),
    ] = None,
    dates_stand_for: Annotated[
        str | None, typer.Option(help="The start, middle or end of their periods; found out by default.")
    ] = None,
    noise_days: Annotated[int, typer.Option(help="By up to how many days released dates were moved.")] = 0,
    noise_values: Annotated[float, typer.Option(help="The share of released values that are off by one.")] = 0.0,
    kept: Annotated[float, typer.Option(help="The share of a person's ratings that is in the release.")] = 1.0,
    known: Known = "2,4,8",
    within: Within = "3,14",
    wrong: Wrong = 0,
    moved: Moved = 0.0,
    beyond: Beyond = 0,
    targets: Targets = 600,
    calibration: Calibration = 300,
    level: Level = 0.01,
    at_most: AtMost = None,
    seed: Seed = None,
    output: Output = None,
    overwrite: Overwrite = False,
    header: Header = None,
    json: Json = False,
) -> None:
    """Look for people in a release that is there already, knowing a few of their original ratings.

    Example: reticent reidentify released films.csv given.csv --released-person pseudonym --truth truth.csv
    """
    from reticent import _checks
    from reticent.audits.reidentification import reidentify_given
    from reticent.cli._output import bars, errors
    from reticent.data.ratings import Blur, Columns, read_given
    from reticent.errors import UsageError

    place, randomness = new(output, overwrite=overwrite), source(seed)
    if at_most is not None:
        _checks.fraction(at_most=at_most)
        if truth is None:
            raise UsageError("Expected --at-most with --truth only.", "Name the table of the truth.")
    ours = Columns(person, item, rating or None, date or None, dates_are)
    theirs = (released_person, released_item, released_rating, released_date, released_dates_are)
    given = read_given(
        original,
        release,
        truth,
        columns=ours,
        released_columns=_beside(ours, *theirs),
        truth_columns=_two(truth_columns),
        blur=Blur(days=noise_days, moved=noise_values, kept=kept),
        scale=None if scale is None else _scale(scale),
        stands_for=dates_stand_for,
        name=Path(release).name,
        header=header,
    )
    if not json:
        errors.print(f"{given.ratings}; released: {given.release.ratings}. {given.release.meaning}", markup=False)
    dated = given.ratings.days is not None
    with bars(quiet=json) as report:
        found = reidentify_given(
            given,
            knowledge=knowledge(known, within, dated=dated, wrong=wrong, moved=moved, beyond=beyond),
            targets=targets,
            calibration=calibration,
            level=level,
            randomness=randomness,
            progress=lambda done, total: report("kinds of knowledge", done, total),
        )
    tell(found.record(), place, json=json)
    if at_most is not None:
        judge([row.finding.estimates["re-identified"] for row in found.rows], at_most)


def _beside(
    ours: Columns, person: str | None, item: str | None, rating: str | None, date: str | None, dates_are: str | None
) -> Columns:
    """The columns of the release: as those of the original, but where others are named."""
    from reticent.data.ratings import Columns

    return Columns(
        person or ours.person,
        item or ours.item,
        ours.rating if rating is None else rating or None,
        ours.date if date is None else date or None,
        dates_are or ours.dates_are,
    )


def _two(text: str) -> tuple[str, str]:
    from reticent.errors import UsageError

    found = names(text)
    if len(found) != 2:
        raise UsageError(f"Expected two columns with a comma between, got {text!r}.", "Write pseudonym,person.")
    return found[0], found[1]


def _scale(text: str) -> dict[float, float]:
    found = pairs(names(text), float, what="ORIGINAL=RELEASED", example="1=0,2=0,3=1")
    return {_number(value): image for value, image in found.items()}


def _number(text: str) -> float:
    from reticent.errors import UsageError

    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"Expected a number, got {text!r}.", "Write 1=0,2=0,3=1.") from error
