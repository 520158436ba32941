"""`reticent reidentify`: whose row is found, who is alone with a few points, who is singled out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._reading import Header
from reticent.cli._reidentifying import (
    NOT_RESOLVABLE,
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
    whole,
)
from reticent.cli._tables import ADDRESS, Dates, Kinds, names, said
from reticent.cli._writing import Json, Output, Overwrite, new

if TYPE_CHECKING:
    from reticent.data.ratings import Ratings, Release
    from reticent.randomness import Randomness

__all__ = ["app"]

app = typer.Typer(help="Find out who is found in a release by whoever knows a little of them.", no_args_is_help=True)


@app.command("ratings")
def ratings(
    file: Annotated[str, typer.Argument(help="CSV or Parquet, one line for each rating; or movielens-100k.")],
    person: Person = "person",
    item: Item = "item",
    rating: Rating = "rating",
    date: Date = "date",
    dates_are: DatesAre = "dates",
    release: Annotated[
        list[str] | None,
        typer.Option(
            help="A release to compare with the ratings as they are, several times if wanted: week, month, year, "
            "no-dates, noise, common:N, half-ratings, half-people, groups:K, km:K,M, km-items:K,M; or standard, for "
            "one of each."
        ),
    ] = None,
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
    """Look for people in ratings, knowing a few of theirs.

    Example: reticent reidentify ratings movielens-100k --release month --release groups:5 --output found.html
    """
    from reticent.audits.reidentification import reidentify
    from reticent.cli._output import bars, errors

    place, randomness = new(output, overwrite=overwrite), source(seed)
    read = _read(file, person, item, rating, date, dates_are, header)
    made = _releases(read, release or [], randomness)
    if not json:
        errors.print(f"{read}; {len(made)} releases.", markup=False)
    asked = knowledge(known, within, dated=read.days is not None, wrong=wrong, moved=moved, beyond=beyond)
    with bars(quiet=json) as report:
        found = reidentify(
            read,
            made,
            knowledge=asked,
            targets=targets,
            calibration=calibration,
            level=level,
            name=Path(file).name,
            randomness=randomness,
            progress=lambda done, total: report("releases and knowledge", done, total),
        )
    tell(found.record(), place, json=json)
    judge([row.finding.estimates["re-identified"] for row in found.rows], at_most)


@app.command("unicity")
def unicity(
    file: Annotated[str, typer.Argument(help=f"Sightings, or one line for each person: {ADDRESS}.")],
    columns: Annotated[str, typer.Option(help="What is seen, with commas between; all columns by default.")] = "",
    person: Annotated[str, typer.Option(help="Column: who was seen, in traces; '' if each line is a person.")] = "",
    points: Annotated[str, typer.Option(help="How many points are known.")] = "1,2,3,4",
    precision: Annotated[
        list[str] | None,
        typer.Option(
            help="See columns less exactly, as time=1,place=3: steps of numbers, of dates in days, first letters of "
            "text; several times if wanted, beside the columns as they are."
        ),
    ] = None,
    people: Annotated[int, typer.Option(help="How many people are drawn at most.")] = 2000,
    kind: Kinds = None,
    dates: Dates = None,
    at_most: AtMost = None,
    seed: Seed = None,
    output: Output = None,
    overwrite: Overwrite = False,
    header: Header = None,
    json: Json = False,
) -> None:
    """Count who is alone with a few points: places and times of a trace, or cells of a row.

    Example: reticent reidentify unicity trips.csv --person who --columns place,time --precision time=1
    """
    from reticent.audits.reidentification import unicity as count
    from reticent.data.tables import called, read

    place, randomness = new(output, overwrite=overwrite), source(seed)
    table = read(file, **said(kind, dates, header))
    chosen = names(columns) or [name for name in table.names if name != person]
    ways: dict[str, dict[str, float]] = {"as it is": {}}
    ways |= {text: pairs(names(text), float, what="COLUMN=WIDTH", example="time=1") for text in precision or []}
    asked = whole("points", points)
    if not person:
        asked = [one for one in asked if one <= len(chosen)]
    found = count(
        table,
        chosen,
        person=person or None,
        points=asked,
        precisions=ways,
        people=people,
        name=called(file),
        randomness=randomness,
    )
    tell(found.record(), place, json=json)
    judge([one.estimates["alone"] for one in found.findings], at_most)


@app.command("singling-out")
def singling_out(
    released: Annotated[str, typer.Argument(help=f"What was given away: {ADDRESS}.")],
    data: Annotated[str, typer.Argument(help="The secret records that it was made from.")],
    held_out: Annotated[
        str,
        typer.Argument(
            help="Other records from the same population, none of them among the secret ones, to weigh predicates: "
            "with 100 attempts and the default weight, 76 times as many as the secret records (fewer cannot show a "
            "weight to be small; the answer is then exit code 3, and says how many are needed)."
        ),
    ],
    counts: Annotated[str, typer.Option(help="Column that says how many people a row is about.")] = "",
    columns: Annotated[
        int | None, typer.Option(help="Predicates use so many columns, drawn at random; for synthetic tables, few.")
    ] = None,
    attempts: Annotated[int, typer.Option(help="How many predicates.")] = 100,
    weight: Annotated[float | None, typer.Option(help="The largest weight that counts; 1/(10 n) by default.")] = None,
    fit: Annotated[
        Path | None,
        typer.Option(help="What `reticent anonymise --save` wrote: it explains the release's cells, as 2023-11."),
    ] = None,
    kind: Kinds = None,
    dates: Dates = None,
    at_most: AtMost = None,
    seed: Seed = None,
    output: Output = None,
    overwrite: Overwrite = False,
    header: Header = None,
    json: Json = False,
) -> None:
    """Say, from a release, what is true of exactly one person, and weigh it on other people.

    Example: reticent reidentify singling-out released.csv secret.csv others.csv --fit fit.json
    """
    from reticent.audits.reidentification import single_out
    from reticent.data.anonymity import Generalisation
    from reticent.data.tables import called, read_all

    place, randomness = new(output, overwrite=overwrite), source(seed)
    found = single_out(
        *read_all([released, data, held_out], **said(kind, dates, header)),
        generalisation=None if fit is None else Generalisation.load(fit),
        attempts=attempts,
        counts=counts or None,
        columns=columns,
        weight=weight,
        name=called(released),
        randomness=randomness,
    )
    tell(found.record(), place, json=json)
    if found.finding.status.value == "inconclusive":
        raise typer.Exit(NOT_RESOLVABLE)
    estimates = found.finding.estimates
    judge([estimates["singled out"]], at_most, [estimates["singled out, or of unknown weight"]])


def _read(file: str, person: str, item: str, rating: str, date: str, dates_are: str, header: bool | None) -> Ratings:
    from reticent.data.ratings import read_packaged_ratings, read_ratings

    if file == "movielens-100k" and not Path(file).exists():
        return read_packaged_ratings(file)
    return read_ratings(
        file, person=person, item=item, rating=rating or None, date=date or None, dates_are=dates_are, header=header
    )


def _releases(read: Ratings, asked: list[str], source: Randomness) -> list[Release]:
    from reticent.audits.reidentification import standard_releases
    from reticent.data.ratings import releases

    if asked == ["standard"]:
        return standard_releases(read, source.spawn("releases"))
    made = [releases.as_it_is(read)]
    return made + [_release(read, text, source.spawn(f"release {text}")) for text in asked]


def _release(read: Ratings, text: str, source: Randomness) -> Release:
    from reticent import _checks
    from reticent.data.ratings import grouped, releases, suppressed

    kind, _, rest = text.partition(":")
    numbers = whole("release", rest) if rest else []
    wanted = {"common": 1, "groups": 1, "km": 2, "km-items": 2}
    plain = ("week", "month", "year", "no-dates", "noise", "half-ratings", "half-people")
    _checks.one_of((*plain, *wanted), release=kind)
    if len(numbers) != wanted.get(kind, 0):
        from reticent.errors import UsageError

        raise UsageError(f"Expected {wanted.get(kind, 0)} numbers, got release={text!r}.", "Write km:5,2 or groups:5.")
    makers: dict[str, Any] = {
        "no-dates": lambda: releases.with_dates(read, "none"),
        "noise": lambda: releases.with_noise(read, moved=0.3, days=14, randomness=source),
        "half-ratings": lambda: releases.sampled(read, 0.5, source),
        "half-people": lambda: releases.sampled(read, 0.5, source, of="people"),
        "common": lambda: releases.without_rare(read, numbers[0]),
        "groups": lambda: grouped(read, numbers[0], source),
        "km": lambda: suppressed(read, k=numbers[0], m=numbers[1]),
        "km-items": lambda: suppressed(read, k=numbers[0], m=numbers[1], items_alone=True),
    }
    made: Release = makers[kind]() if kind in makers else releases.with_dates(read, kind)
    return made
