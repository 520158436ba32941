"""The catalogue of data sets and weights that published packages carry.

Promise: looking something up never touches the network or the disk. Every file of every entry is pinned by SHA-256, and
every entry says whose data it is, who owns a row, and on what terms it may be used. The terms of the data are often not
those of the package around it, which is why nothing of it is shipped with reticent: `fetch` brings it to your machine.

Example:
    >>> from reticent.data.catalogue import entry
    >>> digits = entry("digits")
    >>> digits.size, digits.unit.value
    ('1,797 rows, 64 columns', 'example')
    >>> entry("digitz")
    Traceback (most recent call last):
    reticent.errors.UsageError: Expected a known name, got name='digitz'. Did you mean 'digits'?
"""

from __future__ import annotations

from reticent import _checks
from reticent.data._entries import ENTRIES
from reticent.data.entry import Bundle, Entry, Member, Source

__all__ = ["Bundle", "Entry", "Member", "Source", "entries", "entry"]


def entries() -> tuple[Entry, ...]:
    """All entries: data sets first (the default, diabetes, at the head), then weights."""
    return ENTRIES


def entry(name: str) -> Entry:
    """The entry of that name.

    Raises:
        UsageError: no such entry; the message offers the nearest name.
    """
    by_name = {one.name: one for one in entries()}
    return by_name[_checks.one_of(by_name, name=name)]
