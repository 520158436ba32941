"""What all detectors see in one column, piece by piece.

Promise: memory is bounded whatever the number of rows: counts, at most `REMEMBERED` keys of candidates for each kind
with check digits, and examples only if somebody asked for them. Counts of cells are of all rows that were read.

Example:
    >>> import pyarrow as pa
    >>> from reticent.data.scan.tally import Tally
    >>> from reticent.data.scan.values import Keys, Values
    >>> from reticent.randomness import Randomness
    >>> column = Tally("contact")
    >>> column.add(Values.of(pa.array(["a@b.org", "none", "c@d.org"]), 0, Keys(Randomness.simulated(1))))
    >>> found, unclear = column.judged("people.csv", sampled=False)
    >>> [(one.kind, one.confidence, one.cells, one.first_row) for one in found]
    [('e-mail address', 'pattern', 2, 1)]
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.scan.accounts import ACCOUNTS
from reticent.data.scan.contacts import CONTACTS
from reticent.data.scan.detector import Detector, Hits
from reticent.data.scan.generalised import GENERALISED
from reticent.data.scan.hints import Hints, words
from reticent.data.scan.judging import Count, Found, Unclear, judged, share_of
from reticent.data.scan.names import installed
from reticent.data.scan.national import NATIONAL
from reticent.data.scan.persons import PERSONS
from reticent.data.scan.reading import Reading
from reticent.data.scan.sensitive import SENSITIVE
from reticent.data.scan.text import BESIDE, KINDS, examples_in
from reticent.data.scan.text_notes import SPOKEN
from reticent.data.scan.values import Values

__all__ = ["DETECTORS", "LETTERS_IN_TEXT", "REMEMBERED", "Tally", "masked"]

DETECTORS: Final = (*CONTACTS, *ACCOUNTS, *NATIONAL, *PERSONS, *GENERALISED, *SENSITIVE)
"""Every detector of columns."""

REMEMBERED: Final = 20_000
_FIRST_TEXTS: Final = 500
_WORDY: Final = 1 / 3
_PROSE: Final = Hints((
    "note", "notes", "text", "comment", "comments", "remark", "remarks", "narrative", "message", "free text",
    "freetext", "description", "memo", "letter", "report", "summary", "history", "anamnese", "bemerkung",
    "bemerkungen", "kommentar",
    "notiz", "notizen", "freitext", "befund", "observaciones", "comentario", "comentarios", "commentaire", "remarque",
    "osservazioni", "opmerkingen", "body", "transcript",
), against=("id", "type", "date", "code", "number", "length", "status", "weight", "mass"))  # fmt: skip
LETTERS_IN_TEXT: Final = frozenset(letter for kind in (*KINDS, *BESIDE) for letter in kind.safe_harbor)
"""Letters of HIPAA's list that are looked for in texts."""


def masked(text: str) -> str:
    """The form of a value: capitals as X, other letters as x, digits as 9, the rest as it is.

    Example:
        >>> masked("Ann-Marie, 4 Rue du Bac")
        'Xxx-Xxxxx, 9 Xxx xx Xxx'
    """
    shown = re.sub(r"[0-9]", "9", text)
    return "".join("X" if one.isupper() else ("x" if one.isalpha() else one) for one in shown)[:60]


def _within(numbers: npt.NDArray[Any], ordered: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which numbers are among others, which are in order."""
    if not len(ordered):
        return np.zeros(len(numbers), dtype=bool)
    found: npt.NDArray[np.bool_] = ordered[np.minimum(np.searchsorted(ordered, numbers), len(ordered) - 1)] == numbers
    return found


def _unhinted(detector: Detector, column: str) -> bool:
    """Whether a detector looks at a column whose name gives no hint."""
    if detector.among is not None:
        return installed() and not {*words(column)} & detector.not_in
    return not detector.needs_hint


class Tally:
    """The counts of one column.

    `hits` are cells that pass any detector, whether or not it comes to a finding. A cell is looked at as one value, or
    searched as a text: all cells of a column of texts are, and of other columns those of many words, lists, and those
    that begin like a line of a form ("DOB: ..."). `searched` counts them, `unsearched` the texts that nobody read.

    Args:
        name: of the column.
        show: how many examples to keep for each kind.
        plain: keep them as they are, and not only their form.
        prose: whether all cells are texts; by default that is found out.
    """

    def __init__(self, name: str, *, show: int = 0, plain: bool = False, prose: bool = False) -> None:
        self.name = name
        self.rows = self.cells = self.words = self.hits = self.searched = self.unsearched = 0
        self._called, self._prose = prose or _PROSE.fit(name), prose
        self._show, self._plain = show, plain
        asked = [(one, one.hints.fit(name)) for one in DETECTORS]
        self._counts = [(one, hinted, Count()) for one, hinted in asked if hinted or _unhinted(one, name)]
        self._seen: dict[str, npt.NDArray[np.uint64]] = {}
        self._texts: dict[str, Count] = {}
        self._span: tuple[int, int] | None = None
        self._whole = True
        self._decimals = 0

    def add(self, values: Values, reading: Reading | None = None) -> None:
        """Some more rows; `reading` looks into the texts among them."""
        self.rows += values.rows
        self.cells += values.cells
        if not len(values.texts):
            return
        hit, checked = np.zeros((2, len(values.texts)), dtype=bool)
        for detector, hinted, count in self._counts:
            hits = detector.hits(values, hinted=hinted)
            if hinted:
                count.less += detector.less_than(values, self.name)
            hit[hits.passed] = True
            checked[hits.passed] |= detector.has_checksum
            if len(hits.fitted):
                self._add(detector, count, values, hits)
        self.hits += int(values.counts[hit].sum())
        self._search(values, checked, reading)
        self._number(values)

    def _search(self, values: Values, checked: npt.NDArray[np.bool_], reading: Reading | None) -> None:
        """Read the texts among the values."""
        wordy = values.wordy & ~checked  # a number in groups is no text
        spaced = values.spaced
        called = self._called and bool(spaced.any() or values.wordy.any())
        self._prose |= called or int(values.counts[wordy].sum()) > _WORDY * values.cells
        readable = values.wordy | values.listed
        if self._prose:
            readable |= True
        elif spaced.any():
            readable |= spaced & values.like(SPOKEN, spaced)
        self.words += int(values.counts[readable if self._prose and self._called else wordy].sum())
        if reading is None:
            self.unsearched += int(values.counts[readable].sum())
        elif readable.any():
            self.searched += int(values.counts[readable].sum())
            self._read(values, np.flatnonzero(readable), reading)

    def _add(self, detector: Detector, count: Count, values: Values, hits: Hits) -> None:
        count.fits += int(values.counts[hits.fitted].sum())
        count.passes += int(values.counts[hits.passed].sum())
        if (detector.has_checksum or detector.among is not None) and count.candidates < REMEMBERED:
            seen = self._seen.get(detector.name, np.zeros(0, np.uint64))
            new = hits.fitted[~_within(values.keys[hits.fitted], seen)][: REMEMBERED - count.candidates]
            count.candidates += len(new)
            if detector.among is None:
                count.confirmed += int(_within(new, hits.passed).sum())
            elif len(new):
                count.confirmed += detector.among(self._texts_of(values, new)) or 0
            self._seen[detector.name] = np.sort(np.concatenate([seen, values.keys[new]]))
        if detector.sampled is not None and len(count.first_texts) < _FIRST_TEXTS:
            count.first_texts += self._texts_of(values, hits.fitted[: _FIRST_TEXTS - len(count.first_texts)])
        if not len(hits.passed):
            return
        if count.first < 0:
            count.first = int(values.firsts[hits.passed].min())
        if detector.listed and len(count.different) < 2:
            count.different |= {text.lower() for text in self._texts_of(values, hits.passed[:2])}
        self._keep(count, values, hits.passed)

    def _texts_of(self, values: Values, places: npt.NDArray[np.int64]) -> list[str]:
        import pyarrow as pa

        found: list[str] = values.texts.take(pa.array(places)).to_pylist()
        return found

    def _keep(self, count: Count, values: Values, places: npt.NDArray[np.int64]) -> None:
        if (room := self._show - len(count.examples)) > 0:
            more = self._texts_of(values, places[:room])
            count.examples += [text[:60] for text in more] if self._plain else [masked(text) for text in more]

    def _read(self, values: Values, readable: npt.NDArray[np.int64], reading: Reading) -> None:
        for kind, here in reading(values, readable).items():
            count = self._texts.setdefault(kind, Count())
            count.passes += int(values.counts[here].sum())
            first = int(values.firsts[here].min())
            count.first = first if count.first < 0 else min(count.first, first)
            if self._show > len(count.examples):
                shown = [one for text in self._texts_of(values, here[: self._show]) for one in examples_in(text, kind)]
                count.examples += [one[:60] if self._plain else masked(one) for one in shown]
                del count.examples[self._show :]

    def _number(self, values: Values) -> None:
        """Whether all values are whole numbers, and between which."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self._decimals += int(values.counts[(values.count_of("separators") > 0) & (values.digits > 0)
                                            & (values.count_of("letters") == 0)].sum())  # fmt: skip
        if self._whole:
            self._whole = bool(((values.digits == values.lengths) & (values.lengths <= 18)).all())
        if self._whole:
            found = pc.min_max(values.texts.cast(pa.int64())).as_py()
            low, high = self._span or (found["min"], found["max"])
            self._span = (min(low, found["min"]), max(high, found["max"]))

    @property
    def is_text(self) -> bool:
        """Whether most cells are text of four words or more."""
        return self.words * 2 >= self.cells > 0

    @property
    def numbers_rows(self) -> bool:
        """Whether it counts from one number to another without a gap, as row numbers do."""
        return self._whole and self._span is not None and self._span[1] - self._span[0] + 1 == self.cells

    def looked_at(self, letter: str) -> tuple[int, int]:
        """In how many cells there was a search for what a letter of HIPAA's stands for, and texts without one."""
        whole = any(letter in one.safe_harbor for one, _, _ in self._counts if one.has_pattern)
        found = (self.cells - self.searched - self.unsearched) if whole else 0
        texts = letter in LETTERS_IN_TEXT
        return found + (self.searched if whole or texts else 0), self.unsearched if texts else 0

    def judged(self, source: str, *, sampled: bool, distinct: int | None = None) -> tuple[list[Found], list[Unclear]]:
        """The findings of the column, and what is unclear.

        Args:
            source: where it is.
            sampled: of a sample of rows.
            distinct: how many different values there are, if all were counted.
        """
        if not self.cells:
            return [], []
        found, unclear = judged(self.name, source, self._counts, self.cells, sampled=sampled)
        covered = {one.kind for one in found} if any(one.cells * 2 >= self.cells for one in found) else set()
        for kind, count in sorted(self._texts.items()):
            known = next((one for one in (*KINDS, *BESIDE) if one.name == kind), None)
            detector = next((one for one in DETECTORS if one.name == kind), None)
            firm = known is not None and (known.sure or known.name == "e-mail address")
            if kind in covered or (covered and not self.is_text and not firm):
                continue
            found.append(Found(
                source, self.name, kind, known.group if known else (detector.group if detector else "direct"),
                "checksum" if known is not None and known.sure else "pattern", count.passes,
                share_of(count.passes, self.cells, sampled=sampled), first_row=count.first + 1, in_text=True,
                safe_harbor=known.safe_harbor if known else (detector.safe_harbor if detector else "R"),
                special=known.special if known else (detector.special if detector else ""),
                examples=tuple(count.examples),
            ))  # fmt: skip
        return found + self._structure(source, found, distinct, sampled=sampled), unclear

    def _structure(self, source: str, found: list[Found], distinct: int | None, *, sampled: bool) -> list[Found]:
        """What the values' number says where nothing else does."""
        share = share_of(self.cells, self.cells, sampled=False)
        if self.is_text:
            note = "text of people holds names and stories; only what has a pattern was looked for"
            return [Found(source, self.name, "free text", "other", "pattern", self.words,
                          share_of(self.words, self.cells, sampled=sampled), note=note)]  # fmt: skip
        codes = distinct is not None and distinct >= 0.98 * self.cells and self.cells >= 50
        if not codes or self._decimals * 2 > self.cells or self.numbers_rows:
            return []
        if any(one.group in ("direct", "quasi") and one.cells * 2 >= self.cells for one in found):
            return []
        note = "nearly no two rows share a value: it links rows to whoever holds its list"
        return [Found(source, self.name, "unique code", "quasi", "pattern", self.cells, share, first_row=1,
                      safe_harbor="R", note=note)]  # fmt: skip
