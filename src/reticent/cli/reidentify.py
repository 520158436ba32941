"""`reticent reidentify`: whose row is found, who is alone with a few points, who is singled out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reticent.cli._reading import Header

if TYPE_CHECKING:
    from reticent.data.ratings import Ratings, Release
    from reticent.evidence import Estimate, Record
    from reticent.randomness import Randomness

__all__ = ["app"]

app = typer.Typer(help="Find out who is found in a release by whoever knows a little of them.", no_args_is_help=True)

GATE_FAILED = 1
NOT_RESOLVABLE = 3

Json = Annotated[bool, typer.Option("--json", help="Print the record as JSON.")]
Output = Annotated[Path | None, typer.Option(help="Write the page (.html) or the record (.json) there.")]
Seed = Annotated[int | None, typer.Option(help="Make the run repeatable.")]
AtMost = Annotated[
    float | None,
    typer.Option(help="Exit with 1 if a larger share was shown, with 3 if that cannot be told with so many targets."),
]


@app.command("ratings")
def ratings(
    file: Annotated[str, typer.Argument(help="CSV or Parquet, one line for each rating; or movielens-100k.")],
    person: Annotated[str, typer.Option(help="Column: whose rating it is.")] = "person",
    item: Annotated[str, typer.Option(help="Column: of what.")] = "item",
    rating: Annotated[str, typer.Option(help="Column of values; '' for none.")] = "rating",
    date: Annotated[str, typer.Option(help="Column of dates; '' for none.")] = "date",
    dates_are: Annotated[str, typer.Option(help="dates; or days or seconds since 1970.")] = "dates",
    release: Annotated[
        list[str] | None,
        typer.Option(
            help="A release to compare with the ratings as they are, several times if wanted: week, month, year, "
            "no-dates, noise, common:N, half-ratings, half-people, groups:K, km:K,M, km-items:K,M; or standard, for "
            "one of each."
        ),
    ] = None,
    known: Annotated[str, typer.Option(help="How many ratings of a person are known.")] = "2,4,8",
    within: Annotated[str, typer.Option(help="By how many days known dates are off; none if not known.")] = "3,14",
    wrong: Annotated[int, typer.Option(help="How many of the known items are wrong.")] = 0,
    moved: Annotated[float, typer.Option(help="The share of known values that are off by one.")] = 0.0,
    beyond: Annotated[int, typer.Option(help="Known items are not among so many of the most popular ones.")] = 0,
    targets: Annotated[int, typer.Option(help="How many people are looked for.")] = 600,
    calibration: Annotated[int, typer.Option(help="On how many others method and threshold are chosen.")] = 300,
    level: Annotated[float, typer.Option(help="The share of absent people an attacker is willing to name.")] = 0.01,
    at_most: AtMost = None,
    seed: Seed = None,
    output: Output = None,
    header: Header = None,
    json: Json = False,
) -> None:
    """Look for people in ratings, knowing a few of theirs.

    Example: reticent reidentify ratings movielens-100k --release month --release groups:5 --output found.html
    """
    from reticent.attacks.reidentification import Knowledge
    from reticent.audits.reidentification import reidentify
    from reticent.cli._output import bars, errors

    place, source = _new(output), _source(seed)
    read = _read(file, person, item, rating, date, dates_are, header)
    made = _releases(read, release or [], source)
    if not json:
        errors.print(f"{read}; {len(made)} releases.", markup=False)
    days = _days(within) if read.days is not None else [None]
    asked = [
        Knowledge(items, days=one, wrong=wrong, moved=moved, beyond=beyond)
        for one in days
        for items in _whole("known", known)
    ]
    with bars(quiet=json) as report:
        found = reidentify(
            read,
            made,
            knowledge=asked,
            targets=targets,
            calibration=calibration,
            level=level,
            name=Path(file).name,
            randomness=source,
            progress=lambda done, total: report("releases and knowledge", done, total),
        )
    _tell(found.record(), place, json=json)
    _judge([row.finding.estimates["re-identified"] for row in found.rows], at_most)


@app.command("unicity")
def unicity(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: sightings, or one line for each person.")],
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
    at_most: AtMost = None,
    seed: Seed = None,
    output: Output = None,
    header: Header = None,
    json: Json = False,
) -> None:
    """Count who is alone with a few points: places and times of a trace, or cells of a row.

    Example: reticent reidentify unicity trips.csv --person who --columns place,time --precision time=1
    """
    from reticent.audits.reidentification import unicity as count
    from reticent.data.tables import read

    place, source = _new(output), _source(seed)
    table = read(file, header=header)
    chosen = _names(columns) or [name for name in table.names if name != person]
    ways: dict[str, dict[str, float]] = {"as it is": {}}
    ways |= {text: _widths(text) for text in precision or []}
    asked = _whole("points", points)
    if not person:
        asked = [one for one in asked if one <= len(chosen)]
    found = count(
        table,
        chosen,
        person=person or None,
        points=asked,
        precisions=ways,
        people=people,
        name=file.name,
        randomness=source,
    )
    _tell(found.record(), place, json=json)
    _judge([one.estimates["alone"] for one in found.findings], at_most)


@app.command("singling-out")
def singling_out(
    released: Annotated[Path, typer.Argument(help="What was given away: CSV or Parquet.")],
    data: Annotated[Path, typer.Argument(help="The secret records that it was made from.")],
    held_out: Annotated[Path, typer.Argument(help="Other records from the same population, to weigh predicates.")],
    counts: Annotated[str, typer.Option(help="Column that says how many people a row is about.")] = "",
    columns: Annotated[
        int | None, typer.Option(help="Predicates use so many columns, drawn at random; for synthetic tables, few.")
    ] = None,
    attempts: Annotated[int, typer.Option(help="How many predicates.")] = 100,
    weight: Annotated[float | None, typer.Option(help="The largest weight that counts; 1/(10 n) by default.")] = None,
    at_most: AtMost = None,
    seed: Seed = None,
    output: Output = None,
    header: Header = None,
    json: Json = False,
) -> None:
    """Say, from a release, what is true of exactly one person, and weigh it on other people.

    Example: reticent reidentify singling-out released.csv secret.csv others.csv
    """
    from reticent.audits.reidentification import single_out
    from reticent.data.tables import read

    place, source = _new(output), _source(seed)
    found = single_out(
        read(released, header=header),
        read(data, header=header),
        read(held_out, header=header),
        attempts=attempts,
        counts=counts or None,
        columns=columns,
        weight=weight,
        name=released.name,
        randomness=source,
    )
    _tell(found.record(), place, json=json)
    if found.finding.status.value == "inconclusive":
        raise typer.Exit(NOT_RESOLVABLE)
    _judge([found.finding.estimates["singled out"]], at_most)


def _source(seed: int | None) -> Randomness:
    from reticent.randomness import Randomness

    return Randomness.secure() if seed is None else Randomness.simulated(seed)


def _new(output: Path | None) -> Path | None:
    from reticent.cli._output import writable
    from reticent.errors import UsageError

    if output is not None and writable(output, (".html", ".json")).exists():
        raise UsageError(f"Expected a new file, got {str(output)!r}, which exists.", "Choose another name.")
    return output


def _tell(record: Record, place: Path | None, *, json: bool) -> None:
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


def _judge(shares: list[Estimate], limit: float | None) -> None:
    from reticent import _checks
    from reticent.cli._output import errors

    if limit is None:
        return
    limit = _checks.fraction(at_most=limit)
    if any(share.low > limit for share in shares):
        errors.print(f"EXCEEDED: a share is more than {limit:g}, whatever its interval allows.", markup=False)
        raise typer.Exit(GATE_FAILED)
    if any(share.high > limit for share in shares):
        errors.print(f"NOT RESOLVABLE: a share may be more than {limit:g}; more targets would tell.", markup=False)
        raise typer.Exit(NOT_RESOLVABLE)


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
    numbers = _whole("release", rest) if rest else []
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


def _whole(name: str, text: str) -> list[int]:
    from reticent.errors import UsageError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"Expected whole numbers with commas between, got {name}={text!r}.", "Write them as 2,4,8."
        ) from error


def _days(text: str) -> list[int | None]:
    return [None if part.strip() == "none" else _whole("within", part)[0] for part in text.split(",")]


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _widths(text: str) -> dict[str, float]:
    from reticent.errors import UsageError

    found = {}
    for part in _names(text):
        name, _, width = part.rpartition("=")
        try:
            found[name] = float(width)
        except ValueError as error:
            raise UsageError(f"Expected COLUMN=WIDTH, got {part!r}.", "Write it as time=1.") from error
    return found
