"""What a scan found, as plain values, a record and a page.

Promise: a scan holds places, counts and kinds, never the contents of a cell unless examples were asked for. It says
what was read, what could not be read, what was sampled, and what no detector looks for. It is evidence of what was
found on a date; finding nothing does not show that there is nothing.

Example:
    >>> from reticent.data.scan import scan
    >>> found = scan({"email": ["a@b.org", "c@d.org"], "score": [1, 2]})
    >>> print(found)
    table: 2 rows, 2 columns
      email: e-mail address, direct, 2 cells (100.0 %), by pattern and column's name, first in row 1
    >>> found.fails(["direct"]), found.fails(["sensitive"])
    (('direct',), ())
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reticent import _checks
from reticent._numbers import counted
from reticent.data.scan.judging import Found, Unclear
from reticent.data.scan.uniqueness import SingledOut
from reticent.evidence import Record, now, software

__all__ = ["FAILING", "Scan", "ScannedColumn", "ScannedSource"]

FAILING = ("direct", "quasi", "sensitive")
"""Groups that a gate can be set on."""

_MOST = 0.5


@dataclasses.dataclass(frozen=True)
class ScannedColumn:
    """One column that was read.

    Attributes:
        name: of it.
        cells: how many of the rows that were looked at have a value.
        distinct: how many different values, among the rows whose keys were held.
        text: how many cells were searched as texts, or would have been.
        missed_at_most: of a sample without a finding: the upper bound on the share of rows with something that the
            detectors would have recognised, cells that pass one but were too few for a finding, or no more than luck
            explains, among them; None if all rows were looked at, or something was found.
        kinds: what was found.
        skipped: why it was not looked at, if so.
        unsearched: how many cells are texts that nobody searched.
    """

    name: str
    cells: int
    distinct: int
    text: int
    missed_at_most: float | None
    kinds: tuple[str, ...]
    skipped: str = ""
    unsearched: int = 0


@dataclasses.dataclass(frozen=True)
class ScannedSource:
    """One table or text that was read.

    Attributes:
        name, kind: of the source.
        rows: how many there are.
        looked_at: how many of them were looked at.
        columns: of it.
        singled_out: sets of columns and how many rows they single out.
        distinct_of: of how many rows different values were counted.
        problems: what could not be read.
    """

    name: str
    kind: str
    rows: int
    looked_at: int
    columns: tuple[ScannedColumn, ...]
    singled_out: tuple[SingledOut, ...]
    distinct_of: int
    problems: tuple[Mapping[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
            "columns": [{**dataclasses.asdict(one), "kinds": list(one.kinds)} for one in self.columns],
            "singled_out": [one.as_dict() for one in self.singled_out],
            "problems": [dict(one) for one in self.problems],
        }


@dataclasses.dataclass(frozen=True)
class Scan:
    """The outcome of a scan.

    Attributes:
        sources: what was read.
        found: every finding.
        unclear: candidates that cannot be told from luck.
        safe_harbor: HIPAA's eighteen rows.
        special: the GDPR's special categories.
        settings: sample, confidence, how texts were read, versions of lists.
        not_read: files of folders that were not read, by the reason.
        alike: many alike files of a folder, summed up (`reticent.data.scan.alike`).
    """

    sources: tuple[ScannedSource, ...]
    found: tuple[Found, ...]
    unclear: tuple[Unclear, ...]
    safe_harbor: tuple[Mapping[str, Any], ...]
    special: tuple[Mapping[str, Any], ...]
    settings: Mapping[str, Any]
    not_read: tuple[Mapping[str, Any], ...] = ()
    alike: tuple[Mapping[str, Any], ...] = ()

    def __repr__(self) -> str:
        rows = sum(one.rows for one in self.sources)
        return f"Scan({len(self.sources)} sources, {rows} rows: {len(self.found)} findings)"

    def __str__(self) -> str:
        together = {name for group in self.alike for name in group["members"]}
        lines = [line for group in self.alike for line in _group_lines(group)]
        for source in self.sources:
            if source.name in together:
                continue
            seen = "" if source.looked_at == source.rows else f", {source.looked_at} of them looked at"
            lines.append(
                f"{source.name}: {counted(source.rows, 'row')}{seen}, {counted(len(source.columns), 'column')}"
            )
            own = [one for one in self.found if one.source == source.name]
            lines += [f"  {_line(one)}" for one in own] or ["  nothing found"]
        return "\n".join(lines)

    @property
    def direct(self) -> tuple[Found, ...]:
        """Direct identifiers."""
        return tuple(one for one in self.found if one.group == "direct")

    @property
    def quasi(self) -> tuple[Found, ...]:
        """Quasi-identifiers."""
        return tuple(one for one in self.found if one.group == "quasi")

    @property
    def sensitive(self) -> tuple[Found, ...]:
        """Sensitive data."""
        return tuple(one for one in self.found if one.group == "sensitive")

    def fails(self, groups: Sequence[str]) -> tuple[str, ...]:
        """Which of these groups were found; quasi-identifiers also where up to three columns single out most rows.

        Raises:
            UsageError: a group that no gate can be set on.
        """
        asked = [_checks.one_of(FAILING, group=one) for one in groups]
        most = any(one.share > _MOST and len(one.columns) <= 3 for source in self.sources for one in source.singled_out)
        return tuple(one for one in dict.fromkeys(asked) if getattr(self, one) or (one == "quasi" and most))

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "sources": [one.as_dict() for one in self.sources],
            "found": [one.as_dict() for one in self.found],
            "unclear": [one.as_dict() for one in self.unclear],
            "safe_harbor": [dict(one) for one in self.safe_harbor],
            "special": [dict(one) for one in self.special],
            "settings": dict(self.settings),
            "not_read": [dict(one) for one in self.not_read],
            "alike": [dict(one) for one in self.alike],
            "software": software(),
        }

    def record(self) -> Record:
        """A record of kind "scan"."""
        return Record("scan", self.as_dict(), created=now())

    def save(self, path: str | Path) -> Path:
        """Write it as a page (`.html`) or as its record (`.json`).

        Raises:
            UsageError: another ending, or a place that cannot be written.
        """
        from reticent.reports import save

        return save(self.record(), path)


def _group_lines(group: Mapping[str, Any]) -> list[str]:
    """One line for each kind in many alike files."""
    seen = "" if group["looked_at"] == group["rows"] else f", {group['looked_at']} of them looked at"
    lines = [f"{group['name']}: {counted(group['rows'], 'row')}{seen}, {counted(len(group['columns']), 'column')} each"]
    for one in group["found"]:
        worst = ", ".join(f"{each['source']} ({each['cells']})" for each in one["most"])
        most = f", most in {worst}" if one["most"][0]["cells"] > 1 else ""
        lines.append(
            f"  {one['column']}: {one['kind']}{' in text' if one['in_text'] else ''}, {one['group']}, "
            f"{counted(one['cells'], 'cell')} in {one['files']} of {group['files']} files{most}"
        )
    return lines if len(lines) > 1 else [*lines, "  nothing found"]


def _line(one: Found) -> str:
    basis = {"checksum": "by check digits", "pattern": "by pattern", "name only": "by the column's name only"}
    how = basis[one.confidence]
    if one.confidence == "pattern" and one.named:
        how = "by pattern and column's name"
    inside = " in text" if one.in_text else ""
    share = f"{one.share.value * 100:.1f} %"
    if one.share.high > one.share.low:
        share += f", {one.share.low * 100:.1f} to {one.share.high * 100:.1f}"
    first = f", first in row {one.first_row}" if one.first_row else ""
    either = f", or {one.alternative}" if one.alternative else ""
    luck = f", of which luck explains about {one.by_luck}" if one.by_luck else ""
    cells = counted(one.cells, "cell")
    return f"{one.column}: {one.kind}{either}{inside}, {one.group}, {cells} ({share}), {how}{first}{luck}"
