"""From counts of a column's cells to findings: what is there, how sure that is, and what luck explains.

Promise: a number with check digits is reported only if more candidates pass than luck explains: random numbers pass
too, one in ten of them for most kinds. Different values are counted for that, not rows, so that one number in a
thousand rows is one number. What cannot be told from luck is listed as unclear and never counted as found. A finding
says whether it rests on check digits, on a pattern, or on the column's name alone, and on how many cells.

How it works: of n different candidates k pass, and a random one would with probability c. Luck is rejected if
P(Binomial(n, c) ≥ k) is below the kind's alpha, and the share that is not luck, (k/n - c)/(1 - c), must be a tenth.
Where several kinds of number explain the same cells, those that explain fewer than half as much as the best go. Cells
of one form are one kind: where the column's name says another, the evidence decides, and the other is the alternative.

Example:
    >>> from reticent.data.scan.judging import excess
    >>> [round(excess(k, 1000, 0.1), 3) for k in (1000, 104)], round(excess(3, 3, 0.1), 3)
    ([1.0, 0.004], 1.0)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from reticent.data.scan.detector import LISTED, Detector
from reticent.data.scan.names import installed
from reticent.evidence import Estimate

__all__ = ["CONFIDENCES", "Count", "Found", "Unclear", "by_luck", "excess", "judged", "share_of"]

CONFIDENCES: Final = ("checksum", "pattern", "name only")
"""What a finding rests on, from the firmest."""

_LEAST_EXCESS: Final = 0.1
_SAMPLED: Final = 0.5
_FEWEST_LISTED: Final = 5
_OBEYED: Final = 0.97


@dataclasses.dataclass
class Count:
    """What one detector saw in one column.

    Attributes:
        fits: cells of its pattern.
        passes: those of them that pass its check.
        candidates, confirmed: the same of different values, up to a bound.
        less: cells that say less than the kind, where the column's name hints at it.
        first: the number of the first row that passed, or -1.
        different: how many different listed values were met, at most two.
        first_texts: of the first candidates, for detectors that judge by them.
        examples: of values that passed, if somebody asked for them.
    """

    fits: int = 0
    passes: int = 0
    candidates: int = 0
    confirmed: int = 0
    less: int = 0
    first: int = -1
    different: set[str] = dataclasses.field(default_factory=set)
    first_texts: list[str] = dataclasses.field(default_factory=list)
    examples: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Found:
    """One kind of personal data in one column.

    Attributes:
        source: the table or text.
        column: of it.
        kind: what it is.
        group: direct, quasi, sensitive or other.
        confidence: one of `CONFIDENCES`.
        cells: how many hit; of a finding by name only, those that could be it, or all that have a value.
        share: of the column's cells that have a value.
        first_row: the number of the first row that hit, from 1; None if no value was looked at,
            and of a sample.
        named: the column's name says so too.
        in_text: inside of longer texts, not as whole values.
        safe_harbor: letters of HIPAA's list.
        special: category of the GDPR.
        by_luck: how many of the cells luck alone would explain, of kinds with check digits.
        note: what else there is to say.
        alternative: another kind that the same cells could be, for which less speaks.
        examples: if somebody asked for them.
    """

    source: str
    column: str
    kind: str
    group: str
    confidence: str
    cells: int
    share: Estimate
    first_row: int | None = None
    named: bool = False
    in_text: bool = False
    safe_harbor: str = ""
    special: str = ""
    by_luck: int = 0
    note: str = ""
    alternative: str = ""
    examples: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**own, "share": self.share.as_dict(), "examples": list(self.examples)}


@dataclasses.dataclass(frozen=True)
class Unclear:
    """Candidates of a kind that pass its check as often as random numbers do, or too few to tell."""

    source: str
    column: str
    kind: str
    candidates: int
    passed: int
    expected: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def excess(passed: int, candidates: int, chance: float) -> float:
    """The share of candidates that are not explained by luck."""
    return max(0.0, (passed / candidates - chance) / (1 - chance)) if candidates else 0.0


def by_luck(passed: int, candidates: int, chance: float) -> float:
    """P(Binomial(candidates, chance) ≥ passed)."""
    from scipy.special import betainc

    return float(betainc(passed, candidates - passed + 1, chance)) if passed else 1.0


def share_of(hits: int, cells: int, *, sampled: bool, confidence: float = 0.95) -> Estimate:
    """A share of cells: counted, or of a sample with its interval."""
    if sampled:
        from reticent.evidence.intervals import rate

        return rate(hits, cells, method="share of cells in a uniform sample of rows", confidence=confidence)
    value = hits / cells
    return Estimate(value, value, value, confidence, cells, "all cells counted; what detectors miss is not in it")


def judged(
    column: str, source: str, counts: Sequence[tuple[Detector, bool, Count]], cells: int, *, sampled: bool
) -> tuple[list[Found], list[Unclear]]:
    """The findings of one column, and what is unclear.

    Args:
        column: its name.
        source: where it is.
        counts: each detector, whether the column's name hints at it, and what it saw.
        cells: how many have a value.
        sampled: of a sample of rows.
    """
    kept: list[tuple[Detector, bool, Count, str]] = []
    unclear = []
    for detector, hinted, count in counts:
        confidence, luck = _confidence(detector, count, cells, hinted=hinted)
        if luck:
            expected = count.candidates * detector.chance
            unclear.append(Unclear(source, column, detector.name, count.candidates, count.confirmed, expected))
        if confidence:
            kept.append((detector, hinted, count, confidence))
    kept, alternatives = _decided(kept)
    found = [_found(column, source, *one, cells, sampled=sampled) for one in _without_rivals(kept, cells)]
    return [dataclasses.replace(one, alternative=alternatives.get(one.kind, "")) for one in found], unclear


def _confidence(detector: Detector, count: Count, cells: int, *, hinted: bool) -> tuple[str, bool]:
    """What a finding would rest on ("" for none), and whether candidates are unclear."""
    named = "name only" if hinted and detector.named and cells > count.less else ""
    if not count.fits:
        return named, False
    if detector.has_checksum:
        return _by_check_digits(detector, count, cells, named, hinted=hinted)
    if not count.passes:
        return named, False
    if detector.among is not None:
        return ("pattern" if _mostly_listed(count, cells) else named), False
    enough = count.passes >= detector.least * cells
    enough &= not detector.listed or len(count.different) > 1
    asked = detector.sampled is not None and (detector.sampled_always or (enough and not hinted))
    likely = not asked or (detector.sampled is not None and detector.sampled(count.first_texts) >= _SAMPLED)
    if likely and (hinted or enough):
        return "name only" if detector.loose and hinted else "pattern", False
    return "", False


def _mostly_listed(count: Count, cells: int) -> bool:
    """Whether most cells could be of the kind, and enough different values are in its list."""
    if count.passes * 2 < cells or count.confirmed < _FEWEST_LISTED:
        return False
    from reticent.evidence.intervals import clopper_pearson

    return clopper_pearson(count.confirmed, count.candidates, 0.95)[0] >= LISTED


def _in_lists(count: Count) -> str:
    """How many different values a list has, with the interval for such columns."""
    from reticent.evidence.intervals import clopper_pearson

    low, high = clopper_pearson(count.confirmed, count.candidates, 0.95)
    share = f"{100 * count.confirmed / count.candidates:.1f} %, {100 * low:.1f} to {100 * high:.1f} at 95 %"
    return f"{count.confirmed} of {count.candidates} different values are in lists ({share}); others may be names too"


def _by_check_digits(detector: Detector, count: Count, cells: int, named: str, *, hinted: bool) -> tuple[str, bool]:
    alpha = 0.05 if hinted else detector.alpha
    lucky = by_luck(count.confirmed, count.candidates, detector.chance) > alpha
    few = excess(count.confirmed, count.candidates, detector.chance) < _LEAST_EXCESS
    if count.confirmed and not lucky and not few:
        return "checksum", False
    if hinted:
        return "pattern" if count.fits * 2 >= cells else named, False
    return "", count.confirmed > 0 and not few


def _decided(
    kept: list[tuple[Detector, bool, Count, str]],
) -> tuple[list[tuple[Detector, bool, Count, str]], dict[str, str]]:
    """One verdict where a column is called after one kind and its values are written as others (`rivals`).

    The rules of the form decide: of random numbers a tenth break those of a social security number, so nearly none
    that do speak for it. What else is in the column is counted for the kind that it is called after.
    """
    alternatives: dict[str, str] = {}
    for called, hinted, count, how in kept:
        rivals = [one for one in kept if one[0].name in called.rivals and not one[1]]
        if not hinted or not rivals:
            continue
        form = max(one[2].fits for one in rivals)
        if sum(one[2].passes for one in rivals) >= _OBEYED * form:
            alternatives |= {one[0].name: called.name for one in rivals}
            rest = dataclasses.replace(count, fits=count.fits - form, passes=count.passes - form)
            kept = [one for one in kept if one[0] is not called]
            kept += [(called, hinted, rest, how)] if rest.passes > 0 else []
        else:
            alternatives[called.name] = rivals[0][0].name
            kept = [one for one in kept if one[0].name not in called.rivals]
    return kept, alternatives


def _without_rivals(
    kept: list[tuple[Detector, bool, Count, str]], cells: int
) -> list[tuple[Detector, bool, Count, str]]:
    """Without kinds that explain cells which another kind explains better."""
    best = max(
        (count.passes for detector, _, count, how in kept if how == "checksum" and detector.group == "direct"),
        default=0,
    )
    firm = [
        (detector, hinted, count, how)
        for detector, hinted, count, how in kept
        if hinted or how != "checksum" or count.passes * 2 >= best
    ]
    firmest = [detector.name for detector, _, count, how in firm if how != "name only" and count.passes * 2 >= cells]
    explained = any(how == "checksum" and count.passes * 2 >= cells for _, _, count, how in firm)
    explained |= any(hinted and one.group in ("direct", "quasi") and one.name in firmest for one, hinted, _, _ in firm)

    def stays(detector: Detector, hinted: bool, how: str) -> bool:
        rivals = [name for name in firmest if name != detector.name]
        if detector.behind and (detector.behind in rivals or (detector.behind == "any" and rivals)):
            return False
        if (
            detector.among is not None
            and not hinted
            and any(named and one is not detector for one, named, _, _ in firm)
        ):
            return False  # the column's name says something else
        if detector.group not in ("direct", "quasi"):
            return True
        if how == "name only":
            return (detector.loose and not explained) or not rivals
        return hinted or how == "checksum" or not explained or detector.least == 0.0

    return [one for one in firm if stays(one[0], one[1], one[3])]


def _found(
    column: str, source: str, detector: Detector, hinted: bool, count: Count, confidence: str, cells: int, *,
    sampled: bool,
) -> Found:  # fmt: skip
    hits = count.passes if count.passes or confidence != "name only" else cells - count.less
    if confidence == "pattern" and detector.has_checksum:
        hits = count.fits
    note = detector.means
    if confidence == "pattern" and detector.has_checksum:
        note = "; ".join(filter(None, (note, f"check digits fit {count.passes} of {count.fits} cells: as luck would")))
    if detector.among is not None:
        listed = _in_lists(count) if count.confirmed else "no list of names has any of its values"
        note = listed if installed() and count.candidates else "by the column's name: no list of names is installed"
    others = count.fits - count.passes
    lucky = round(others * detector.chance / (1 - detector.chance)) if confidence == "checksum" else 0
    return Found(
        source, column, detector.name, detector.group, confidence, hits, share_of(hits, cells, sampled=sampled),
        first_row=None if count.first < 0 else count.first + 1, named=hinted,
        safe_harbor=detector.safe_harbor,
        special=detector.special, by_luck=lucky, note=note, examples=tuple(count.examples),
    )  # fmt: skip
