"""Names of files, which are data too: who is in them, and how they are shown.

Promise: names of a folder's files are searched like texts, words apart ("MRN1000057_Nunez.txt" is "MRN 1000057 Nunez");
with lists of names a word with a capital that they know is a name here, whatever stands around it. A file whose name
says something of a person is shown by its number, in the order of reading, and so are all files of its kind in its
folder if there are `ALIKE` of them: a report of a scan is read by more people than the folder. Files that were not read
are counted, and their names are searched too.

Not covered: names of folders above the one that is scanned, names of a file that is named itself, names that no list
has.

Example:
    >>> from reticent.data.scan.files import labels, spelled
    >>> spelled("ward/MRN1000057_Nunez.txt"), labels(["a/Nunez.txt", "a/b.csv"], [0])
    ('ward MRN 1000057 Nunez', ['a/file 1.txt', 'a/b.csv'])
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from reticent.data.scan.judging import Found, share_of
from reticent.data.scan.names import fold, lists
from reticent.data.scan.outcome import ScannedColumn, ScannedSource
from reticent.data.scan.rules import name_words, not_names
from reticent.data.scan.text import BESIDE, KINDS, found_in

__all__ = ["ALIKE", "NAMES_OF_FILES", "called", "labels", "not_read", "searched", "spelled"]

ALIKE: Final = 5
"""So many files of one folder and one kind are shown together."""

NAMES_OF_FILES: Final = "names of files"
_COLUMN: Final = "name"
_SHORTEST: Final = 3
_DAY: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)")
_CODE: Final = re.compile(r"\d{5,}")
_SHOWN: Final = 5


def spelled(name: str) -> str:
    """The words and numbers of a file's name, without its ending."""
    text = re.sub(r"[_\-.,+~()\[\]\\/]+", " ", _stem(name))
    text = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])", " ", text)
    return " ".join(text.split())


def _stem(name: str) -> str:
    """A path without the ending of the file."""
    path = PurePosixPath(name)
    plain = path.with_suffix("") if path.suffix in (".gz", ".bz2", ".zip", ".zst", ".xz") else path
    return str(plain.with_suffix(""))


def _is_name(word: str) -> bool:
    known = lists()
    plain = fold(word)
    if known is None or len(word) < _SHORTEST or not word[0].isupper() or plain in not_names():
        return False
    return (plain in known.given or known.has_family(plain)) and plain not in name_words(
        "organisations, places and things"
    )


def _found(names: Sequence[str]) -> dict[str, list[int]]:
    """Of each kind the places of names that it is in."""
    import pyarrow as pa

    texts = [spelled(name) for name in names]
    found: dict[str, set[int]] = {}
    for each in (texts, [_stem(name) for name in names]):
        for kind, places in found_in(pa.array(each, pa.string())).items():
            found.setdefault(kind, set()).update(places)
    for place, (name, text) in enumerate(zip(names, texts, strict=True)):
        if any(_is_name(word) for word in text.split()):
            found.setdefault("name", set()).add(place)
        if _DAY.search(name):
            found.setdefault("date", set()).add(place)
    taken = set().union(*found.values()) if found else set()
    coded = {place for place, name in enumerate(names) if _CODE.search(name) and place not in taken}
    if len(coded) >= ALIKE and len({_CODE.search(names[place]).group() for place in coded}) == len(coded):  # type: ignore[union-attr]
        found["unique code"] = coded
    return {kind: sorted(places) for kind, places in sorted(found.items())}


def searched(names: Sequence[str]) -> tuple[ScannedSource, list[Found], list[int]]:
    """What names of files say of people: as a source, its findings, and the places of names that say something."""
    kinds = {kind.name: kind for kind in (*BESIDE, *KINDS)}
    found = []
    telling: set[int] = set()
    for kind, places in _found(names).items():
        known = kinds.get(kind)
        group = known.group if known else "quasi"
        if group in ("direct", "quasi", "sensitive"):
            telling |= set(places)
        found.append(Found(
            NAMES_OF_FILES, _COLUMN, kind, group, "checksum" if known and known.sure else "pattern", len(places),
            share_of(len(places), len(names), sampled=False), in_text=True,
            safe_harbor=known.safe_harbor if known else "R", special=known.special if known else "",
            note="of files: whoever lists the folder reads it",
        ))  # fmt: skip
    column = ScannedColumn(
        _COLUMN, len(names), len(set(names)), len(names), None, tuple(one.kind for one in found)
    )  # fmt: skip
    source = ScannedSource(NAMES_OF_FILES, "names", len(names), len(names), (column,), (), len(names), ())
    return source, found, sorted(telling)


def labels(names: Sequence[str], telling: Sequence[int]) -> list[str]:
    """What files are called in a report: by their names, or by numbers where the names say something of people."""
    families = [(str(PurePosixPath(name).parent), PurePosixPath(name).suffix) for name in names]
    sizes = Counter(families)
    hidden = {families[place] for place in telling if sizes[families[place]] >= ALIKE}
    found = []
    for place, (name, family) in enumerate(zip(names, families, strict=True)):
        if place in set(telling) or family in hidden:
            folder = "" if family[0] == "." else f"{_folder(family[0])}/"
            found.append(f"{folder}file {place + 1}{family[1]}")
        else:
            found.append(name)
    return found


def _folder(name: str) -> str:
    """A folder's name, or what stands for it where it says something of people."""
    return "/".join("folder" if any(_is_name(word) for word in spelled(f"{part}.x").split()) or _CODE.search(part)
                    else part for part in name.split("/"))  # fmt: skip


def called(
    sources: Sequence[Any], in_folders: Sequence[bool], left: Sequence[Any], *, file_names: bool
) -> tuple[list[str], tuple[ScannedSource, list[Found]] | None, list[Mapping[str, Any]]]:
    """What sources are called (equal ones are numbered), what their names say, and which files are not read."""
    files = [source.name for source, inside in zip(sources, in_folders, strict=True) if inside]
    every = [*files, *(one.name for one in left)]
    about = None
    shown = iter(every)
    if every:
        source, found, telling = searched(every)
        about = (source, found)
        shown = iter(every if file_names else labels(every, telling))
    shown_as = [next(shown) if inside else source.name for source, inside in zip(sources, in_folders, strict=True)]
    left_out = not_read([(name, one.why) for name, one in zip(shown, left, strict=True)])
    counts = Counter(shown_as)
    seen: Counter[str] = Counter()
    names = []
    for name in shown_as:
        seen[name] += 1
        names.append(name if counts[name] == 1 else f"{name} [{seen[name]}]")
    return names, about, left_out


def not_read(left: Sequence[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """Files of folders that were not read, by the reason.

    Args:
        left: of each, what it is called in the report, and why it is not read.
    """
    found: list[Mapping[str, Any]] = []
    for why, count in Counter(why for _, why in left).items():
        shown = [name for name, reason in left if reason == why][:_SHOWN]
        more = f", and {count - _SHOWN} more" if count > _SHOWN else ""
        found.append({"why": why, "count": count, "which": ", ".join(shown) + more})
    return found
