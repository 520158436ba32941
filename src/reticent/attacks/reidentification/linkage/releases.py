"""The same people released in weaker and weaker forms, each of them attacked: what does coarsening buy?

Promise: every form is attacked by the same linkage with the same register, which is coarsened in the same way (the
attacker sees how the release was made). Differences come with intervals of the single figures only. Nothing here makes
a table anonymous; the forms are plain ones that show the effect, not recommendations.

Forms made by `weaker`: "plain"; "noised" (a tenth of the cells drawn anew from their column); "without names" (left out
are fields compared as names or long texts, and codes of which at least half are single: numbers of persons);
"generalised" (besides, codes cut to their first three characters, dates to their year, numbers of at least 20 values to
tenths by rank); "k-anonymous" (rows of which at least k are equal, coarsened further, in three steps, until half of the
rows are left; the others are left out, and count as people who were not re-identified).

Example:
    >>> import numpy as np
    >>> from reticent.attacks.reidentification.linkage import weaker
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> people = Table.of({"zip": ["02139", "02138", "02139"], "born": ["1990-01-31", "1990-05-01", "1990-12-24"]})
    >>> forms = weaker(people, Randomness.simulated(0), k=3)
    >>> forms["generalised"][0]["zip"].values.tolist(), forms["generalised"][0]["born"].values.tolist()
    (['021**'], ['1990'])
    >>> len(forms["k-anonymous"][0])
    3
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.reidentification.linkage.fellegi_sunter import Progress
from reticent.attacks.reidentification.linkage.fields import Field, fields_of, table_of
from reticent.attacks.reidentification.linkage.judging import People
from reticent.attacks.reidentification.linkage.linking import Linkage, left_out_of, link
from reticent.data.tables import Column, Table
from reticent.errors import DataWarning, ReticentError
from reticent.evidence import Estimate, Record, now, software
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness, required

__all__ = ["Effects", "effects", "weaker"]

Form = tuple[Table, npt.NDArray[np.int64]]
_NOISED = 0.1
# How much is left in each step: characters of codes and of dates, ranges of numbers.
_STEPS = ((3, 4, 10), (2, 3, 4), (1, 2, 2))


@dataclasses.dataclass(frozen=True, eq=False)
class Effects:
    """What each form of a release gave away.

    Attributes:
        forms: name to linkage, in order; None where the attack could not be run.
        reasons: name to the reason, for those.
        released: name to how many rows the form has.
        named: name to the share of people of the plain release who were re-identified.
        people: how many people the plain release has.
    """

    forms: Mapping[str, Linkage | None]
    reasons: Mapping[str, str]
    released: Mapping[str, int]
    named: Mapping[str, Estimate]
    people: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "forms": [
                {
                    "name": name,
                    "released": self.released[name],
                    "named": self.named[name].as_dict() if name in self.named else None,
                    "reason": self.reasons.get(name, ""),
                    "linkage": None if one is None else one.as_dict(),
                }
                for name, one in self.forms.items()
            ],
            "people": self.people,
            "software": software(),
        }

    def record(self) -> Record:
        """The record of kind "linkage effects"."""
        return Record("linkage effects", self.as_dict(), created=now())

    def save(self, path: str | Path) -> Path:
        """Write the page (`.html`) or the record (`.json`).

        Raises:
            UsageError: another ending, or a place that cannot be written.
        """
        from reticent.reports import save

        return save(self.record(), path)


def weaker(
    release: Any,
    randomness: Randomness,
    *,
    columns: Sequence[str] | None = None,
    k: int = 5,
    register: Any = None,
    kinds: Mapping[str, str] | None = None,
) -> dict[str, Form]:
    """Weaker forms of a release, from the plainest on; each with the rows of the release that it keeps.

    Args:
        release: as it is: a `Table`, a path, or what `Table.of` takes.
        randomness: for the noise.
        columns: those that an attacker can compare; others are left out.
        k: how many equal rows the last form needs.
        register: that it will be linked to, which says more of how columns are compared.
        kinds: how some columns are compared.
    """
    source, at_least = required(randomness), _checks.at_least(1, k=k)
    release = table_of(release)
    plain = release if columns is None else release.select(list(columns))
    rows = np.arange(len(plain))
    other = plain if register is None else table_of(register)
    fields = {field.name: field for field in fields_of(plain, other, kinds=kinds)}
    stripped = {name.strip(): name for name in plain.names}
    direct = [stripped[name] for name, field in fields.items() if _direct(field, plain[stripped[name]])]
    found: dict[str, Form] = {"plain": (plain, rows), "noised": (_noised(plain, source.spawn("noise")), rows)}
    if len(direct) == len(plain.names):
        return found
    rest = plain.without(direct) if direct else plain
    found |= {"without names": (rest, rows)} if direct else {}
    for step in range(len(_STEPS)):
        coarse = Table(_coarse(rest[name], fields.get(name.strip()), step) for name in rest.names)
        found |= {} if step else {"generalised": (coarse, rows)}
        classes = coarse.classes()
        enough = np.flatnonzero(classes.sizes[classes.of_rows] >= at_least)
        found["k-anonymous"] = (coarse.take(enough), enough)
        if 2 * len(enough) >= len(rows):
            break
    return found


def _direct(field: Field, column: Column) -> bool:
    """Whether a column names its person."""
    return field.kind in ("name", "text") or (field.kind == "code" and 2 * (column.counts() == 1).sum() >= len(column))


def effects(
    release: Any,
    register: Any,
    randomness: Randomness,
    *,
    truth: People,
    forms: Mapping[str, Form] | None = None,
    columns: Sequence[str] | None = None,
    without: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Effects:
    """Attack several forms of a release, each by the same draws.

    Args:
        release: as it is: a `Table`, a path, or what `Table.of` takes.
        register: of named people; likewise.
        randomness: for the forms and the attacks.
        truth: whose row each is, in the plain release and the register.
        forms: name to a table and the rows of the plain release that it keeps; by default those of `weaker`.
        columns: that are compared; by default all that both have, but those that the truth was read off.
        without: columns that are not compared.
        kinds: how to compare some columns, in forms that leave their values as they are.
        progress: called with a name, how much is done, and of how much.
        settings: as `link` takes them.
    """
    source, release, register = required(randomness), table_of(release), table_of(register)
    left_out = left_out_of(release, register, columns, without, truth)
    compared = [one.name for one in fields_of(release, register, columns=columns, without=left_out, kinds=kinds)]
    wanted = [name for name in release.names if name.strip() in compared]
    made = forms
    if made is None:
        made = weaker(release, source.spawn("forms"), columns=wanted, register=register, kinds=kinds)
    found: dict[str, Linkage | None] = {}
    reasons, named, everyone = {}, {}, len(np.unique(truth.release))
    for place, (name, (table, rows)) in enumerate(made.items()):
        if progress is not None:
            progress("forms of the release", place, len(made))
        people = truth._replace(release=truth.release[rows])
        kept = [column.strip() for column in table.names if column.strip() in compared]
        how = {column: kind for column, kind in (kinds or {}).items() if _same(column, table, release)}
        try:
            with warnings.catch_warnings():
                if place:  # what is odd about columns was said of the first form
                    warnings.simplefilter("ignore", DataWarning)
                found[name] = one = link(
                    table, register, source, truth=people, name=name, columns=kept, kinds=how, **settings
                )
        except ReticentError as error:
            found[name], reasons[name] = None, str(error)
            continue
        right = people.release[one.release] == people.register[one.register]
        named[name] = rate(len(np.unique(people.release[one.release[right]])), everyone, method="people re-identified")
    if progress is not None:
        progress("forms of the release", len(made), len(made))
    released = {name: len(rows) for name, (_, rows) in made.items()}
    return Effects(found, reasons, released, named, everyone)


def _same(name: str, form: Table, plain: Table) -> bool:
    """Whether the values of a column are the plain ones."""
    both = [{one.strip(): table[one] for one in table.names} for table in (form, plain)]
    return name in both[0] and set(both[0][name].values.tolist()) <= set(both[1][name].values.tolist())


def _noised(table: Table, randomness: Randomness) -> Table:
    """A tenth of the cells of each column drawn anew from the cells of that column."""
    columns = []
    for column in table.columns:
        source = randomness.spawn(column.name)
        fresh = column.codes[source.integers(len(column), len(column))]
        changed = source.bernoulli(_NOISED, len(column))
        columns.append(Column(column.name, np.where(changed, fresh, column.codes).astype(np.int32), column.values))
    return Table(columns)


def _coarse(column: Column, field: Field | None, step: int) -> Column:
    if field is None:
        return column
    code, date, parts = _STEPS[step]
    if field.kind in ("code", "date"):
        kept = code if field.kind == "code" else date
        short = [text and text[:kept] + "*" * (len(text) - kept) for text in field.left[:-1]]
        return column.mapped([text and text[:4] for text in short] if (field.kind, kept) == ("date", 4) else short)
    if field.kind == "number" and field.numbers is not None and len(column.values) >= 20:
        return column.mapped(_parts(column, np.asarray(field.numbers[0][:-1]), parts))
    return column


def _parts(column: Column, values: npt.NDArray[np.float64], parts: int) -> list[str | None]:
    """Ranges that each hold about the same share of the rows and do not touch."""
    order = np.argsort(values)
    ranks = np.cumsum(column.counts()[order]) - 1
    of = np.empty(len(values), np.int64)
    of[order] = np.minimum(parts - 1, parts * ranks // max(1, int(column.counts().sum())))
    of[np.isnan(values)] = -1
    ends = {one: f"{values[of == one].min():.15g} to {values[of == one].max():.15g}" for one in np.unique(of[of >= 0])}
    return [None if one < 0 else ends[one] for one in of]
