"""Find what in tables and texts is about people: direct identifiers, quasi-identifiers, sensitive data, text.

Promise: `scan` reads every row of every source once, in pieces, and looks at all cells, or at a uniform sample of rows
if one is asked for, with the bound on what the sample can have missed. Memory does not grow with the number of rows
beyond the keys that `reticent.data.scan.uniqueness` holds, which is bounded. Findings point at columns and never show
values unless examples are asked for. What could not be read is listed as such.

Not covered: names in columns that are not called so; images, sounds and other files; kinds without a detector; whether
somebody can be recognised by what is left (`reticent.data.scan.uniqueness` gives a first answer).

How it works: a column's distinct values in a piece are looked at once, by all detectors
(`reticent.data.scan.detector`); counts are judged at the end (`reticent.data.scan.judging`); texts are searched for
entities (`reticent.data.scan.text`).

Example:
    >>> from reticent.data.scan import scan
    >>> found = scan({"iban": ["DE89370400440532013000", "GB82WEST12345698765432"], "age": [34, 91]})
    >>> [(one.column, one.kind, one.confidence, one.cells) for one in found.found]
    [('iban', 'IBAN', 'checksum', 2), ('age', 'age', 'pattern', 2), ('age', 'age over 89', 'pattern', 1)]
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from reticent import _checks
from reticent.data.scan.detector import GROUPS
from reticent.data.scan.judging import Found, Unclear
from reticent.data.scan.legal import safe_harbor_table, special_table
from reticent.data.scan.outcome import Scan, ScannedColumn, ScannedSource
from reticent.data.scan.rules import safe_harbor, special_categories
from reticent.data.scan.sampling import missed_at_most, sample
from reticent.data.scan.tally import DETECTORS, Reader, Tally
from reticent.data.scan.text import found_in
from reticent.data.scan.uniqueness import Held, singled_out
from reticent.data.scan.values import Keys, Values, texts_of
from reticent.data.tables import Table, open_sources
from reticent.data.tables.columns import arrow
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness

__all__ = ["TEXTS", "scan"]

TEXTS: Final = ("patterns", "presidio", "none")
"""How texts are read: by own patterns, by these and Presidio, or not at all."""

_ROWS: Final = 1 << 16
_BYTES: Final = 1 << 25
Progress = Callable[[str, int, int], None]


def scan(
    data: Any,
    *,
    sample: int | None = None,
    confidence: float = 0.95,
    texts: str = "patterns",
    threshold: float = 0.4,
    show: int = 0,
    plain: bool = False,
    randomness: Randomness | None = None,
    progress: Progress | None = None,
    header: bool | None = None,
) -> Scan:
    """Find what in tables and texts is about people.

    Args:
        data: a path (a file, a folder, a database: what `reticent.data.tables.open_sources` takes), several of them, a
            `Table`, or what can become one.
        sample: look at so many rows of each source, drawn uniformly, instead of all.
        confidence: of intervals and bounds of a sample.
        texts: one of `TEXTS`.
        threshold: the lowest score of Presidio's entities that count.
        show: so many examples of each finding, by their form ("Xxx 99").
        plain: examples as they are; only together with `show`.
        randomness: what the sample is drawn by; the operating system's, if not given.
        progress: called with a source's name, bytes or rows done, and all of them.
        header: whether the first row of CSV files names the columns; by default that is found out.

    Returns:
        What was found.

    Raises:
        UsageError: nothing to read, or arguments that do not fit together.
        DataError: a source without rows and columns only.
        MissingExtra: a package is not installed that this needs.
    """
    arrow()
    _checks.one_of(TEXTS, texts=texts)
    confidence = _checks.open_fraction(confidence=confidence)
    _checks.at_least(0, show=show)
    if sample is not None:
        _checks.at_least(1, sample=sample)
    if plain and not show:
        raise UsageError("Expected plain with show, got show=0.", "Say how many examples to show.")
    randomness = Randomness.secure() if randomness is None else randomness
    reader, read_by = _reader(texts, threshold)
    sources = _sources(data, header)
    run = _Run(Keys(randomness), randomness, reader, sample, confidence, show, plain, progress)
    scanned, found, unclear, cells = [], [], [], dict.fromkeys("ABCDEFGHIJKLMNOPQR", 0)
    for source, name in zip(sources, _names(sources), strict=True):
        outcome, more, open_questions, looked_at = run.one(source, name)
        scanned.append(outcome)
        found += more
        unclear += open_questions
        for letter, count in looked_at.items():
            cells[letter] += count
    if not any(one.columns for one in scanned):
        raise DataError("Expected at least one column with rows, got none.", "Check what the path holds.")
    found.sort(key=lambda one: (_places(scanned, one), GROUPS.index(one.group)))
    return Scan(
        tuple(scanned),
        tuple(found),
        tuple(unclear),
        tuple(safe_harbor_table(found, cells, text_names=read_by)),
        tuple(special_table(found)),
        _settings(sample, confidence, read_by, show=show, plain=plain),
    )


def _names(sources: Sequence[Any]) -> list[str]:
    """Of the sources; equal ones are numbered."""
    counts = Counter(source.name for source in sources)
    seen: Counter[str] = Counter()
    names = []
    for source in sources:
        seen[source.name] += 1
        names.append(source.name if counts[source.name] == 1 else f"{source.name} [{seen[source.name]}]")
    return names


def _places(scanned: Sequence[ScannedSource], one: Found) -> tuple[int, int]:
    place = next(place for place, source in enumerate(scanned) if source.name == one.source)
    return place, [column.name for column in scanned[place].columns].index(one.column)


def _settings(sample: int | None, confidence: float, read_by: str, *, show: int, plain: bool) -> Mapping[str, Any]:
    rules = safe_harbor()
    return {
        "sample": sample,
        "confidence": confidence,
        "texts": read_by or "not read",
        "examples": "none" if not show else ("plain" if plain else "by their form"),
        "detectors": len(DETECTORS),
        "safe_harbor": {
            "version": rules["version"],
            "source": rules["source"],
            "zip3": [f"census of {one['census']}: {one['source']}" for one in rules["zip3"]["lists"]],
            "not_covered": rules["zip3"]["not_covered"],
        },
        "special": {key: special_categories()[key] for key in ("version", "source")},
    }


def _reader(texts: str, threshold: float) -> tuple[Reader | None, str]:
    if texts == "none":
        return None, ""
    if texts == "patterns":
        return found_in, "own patterns; names only behind words that announce them"
    from reticent.data.scan.presidio import reader

    return reader(threshold)


class _Frame:
    """A table in memory, as a source."""

    kind, bytes = "frame", None
    problems: Sequence[Any] = ()

    def __init__(self, table: Any, name: str = "table") -> None:
        self.name = name
        self._table = table

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = _ROWS) -> Iterator[Any]:
        from reticent.data.tables import Piece

        table = self._table if columns is None else self._table.select(list(columns))
        first = 0
        for batch in table.to_batches(max_chunksize=rows):
            yield Piece(batch, first)
            first += batch.num_rows


def _sources(data: Any, header: bool | None) -> list[Any]:
    if isinstance(data, str | Path):
        return list(open_sources(data, header=header))
    if isinstance(data, list | tuple) and data and all(isinstance(one, str | Path) for one in data):
        return [source for one in data for source in open_sources(one, header=header)]
    return [_Frame(Table.of(data).to_arrow())]


class _Run:
    """One scan: what is the same for all its sources."""

    def __init__(
        self, keys: Keys, randomness: Randomness, reader: Reader | None, sample: int | None, confidence: float,
        show: int, plain: bool, progress: Progress | None,
    ) -> None:  # fmt: skip
        self._keys, self._randomness, self._reader = keys, randomness, reader
        self._sample, self._confidence = sample, confidence
        self._show, self._plain, self._progress = show, plain, progress

    def one(self, source: Any, name: str) -> tuple[ScannedSource, list[Found], list[Unclear], dict[str, int]]:
        """Read one source."""
        batches = self._told(source)
        rows = None
        if self._sample is not None:
            table, rows = sample(batches, self._sample, self._randomness.spawn(name))
            batches = iter(() if table is None else table.to_batches(max_chunksize=_ROWS))
        tallies: list[Tally] = []
        skipped: dict[str, str] = {}
        held = Held(())
        seen = 0
        for batch in _regrouped(batches):
            if not tallies and not skipped:
                tallies, skipped = self._columns(batch)
                held = Held([one.name for one in tallies])
            self._add(batch, seen, tallies, held)
            seen += batch.num_rows
        return self._concluded(source, name, tallies, skipped, held, seen, seen if rows is None else rows)

    def _told(self, source: Any) -> Iterator[Any]:
        """The batches of a source; how far it is, is told."""
        done = 0
        for piece in source.pieces(rows=_ROWS):
            yield piece.batch
            done += piece.batch.nbytes
            if self._progress is not None and source.bytes:
                self._progress(source.name, min(done, source.bytes), source.bytes)
        if self._progress is not None and source.bytes:
            self._progress(source.name, source.bytes, source.bytes)

    def _columns(self, batch: Any) -> tuple[list[Tally], dict[str, str]]:
        tallies, skipped = [], {}
        for name in batch.schema.names:
            field = batch.schema.field(name)
            if texts_of(batch.column(name)[:0]) is None:
                skipped[name] = f"holds {field.type}, which is not looked into"
            else:
                tallies.append(Tally(name, show=self._show, plain=self._plain))
        return tallies, skipped

    def _add(self, batch: Any, first: int, tallies: Sequence[Tally], held: Held) -> None:
        keys = []
        for tally in tallies:
            values = Values.of(texts_of(batch.column(tally.name)), first, self._keys)
            tally.add(values, self._reader)
            keys.append(np.append(values.keys, np.uint64(0))[values.codes])
        held.add(keys)

    def _concluded(
        self,
        source: Any,
        name: str,
        tallies: Sequence[Tally],
        skipped: Mapping[str, str],
        held: Held,
        seen: int,
        rows: int,
    ) -> tuple[ScannedSource, list[Found], list[Unclear], dict[str, int]]:
        sampled = seen < rows
        found: list[Found] = []
        unclear: list[Unclear] = []
        columns = []
        letters = dict.fromkeys("ABCDEFGHIJKLMNOPQR", 0)
        distinct = [held.distinct(place) for place in range(len(tallies))]
        for tally, different in zip(tallies, distinct, strict=True):
            exact = different if held.whole and not sampled else None
            more, questions = tally.judged(name, sampled=sampled, distinct=exact)
            if sampled:  # their places in the sample say nothing of places in the source
                more = [dataclasses.replace(one, first_row=None) for one in more]
            found += more
            unclear += questions
            for letter in tally.letters:
                letters[letter] += tally.cells
            missed = None
            if sampled and not any(one.group != "other" for one in more):
                missed = missed_at_most(0, seen, self._confidence)
            kinds = tuple(one.kind for one in more)
            columns.append(ScannedColumn(tally.name, tally.cells, different, tally.words, missed, kinds))
        columns += [ScannedColumn(column, 0, 0, 0, None, (), why) for column, why in skipped.items()]
        held.whole &= not sampled
        sets = _singled_out(tallies, distinct, found, held)
        problems = tuple({"what": one.what, "where": one.where, "count": one.count} for one in source.problems)
        return (
            ScannedSource(name, source.kind, rows, seen, tuple(columns), tuple(sets), held.rows, problems),
            found,
            unclear,
            letters,
        )


def _singled_out(tallies: Sequence[Tally], distinct: Sequence[int], found: Sequence[Found], held: Held) -> list[Any]:
    """Sets of columns that others may know: recognised ones first, then those of few values, then the rest."""
    gone, known = set(), set()
    for one in found:
        most = one.cells * 2 >= next(tally.cells for tally in tallies if tally.name == one.column)
        if (one.group == "direct" and most and not one.in_text) or one.kind in ("unique code", "free text"):
            gone.add(one.column)
        elif one.group == "quasi" and not one.in_text:
            known.add(one.column)
    candidates = [
        (tally.name not in known, -different, tally.name)
        for tally, different in zip(tallies, distinct, strict=True)
        if tally.name not in gone
        and different > 1
        and not tally.numbers_rows
        and (tally.name in known or different < 0.9 * held.rows)
    ]
    return singled_out(held, [name for _, _, name in sorted(candidates)], sorted(known))


def _regrouped(batches: Iterator[Any]) -> Iterator[Any]:
    """The same rows in batches of about `_ROWS` rows, or `_BYTES`."""
    import pyarrow as pa

    waiting: list[Any] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= _ROWS or size >= _BYTES:
            yield from _joined(pa, waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield from _joined(pa, waiting)


def _joined(pa: Any, waiting: Sequence[Any]) -> Iterator[Any]:
    table = pa.Table.from_batches(waiting).combine_chunks()
    yield from (batch for batch in table.to_batches(max_chunksize=_ROWS) if batch.num_rows)
    if not table.num_rows:
        yield pa.RecordBatch.from_arrays([pa.array([], field.type) for field in table.schema], schema=table.schema)
