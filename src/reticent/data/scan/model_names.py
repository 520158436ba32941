"""Names of people by a spaCy model that is installed, beside the own patterns.

Promise: nothing is downloaded, and no model comes with reticent: whoever names one has installed it. Of what the model
finds only people are taken (its places and organisations are not), and only where the own patterns have not found
something else and no word speaks of an organisation. What a model finds and misses depends on the model and the
language; `benchmarks/scan.py` measures one small English one.

How it works: of the model's pipeline only what the recogniser of entities needs is run, on many texts at once.

Sources: spaCy 3 (`Language.pipe`, labels PERSON of English models and PER of others).

Example:
    >>> from reticent.data.scan.model_names import merged
    >>> from reticent.data.scan.text import Entity
    >>> [one[:3] for one in merged([Entity("e-mail address", 0, 9)], [(4, 8), (20, 30)])]
    [('e-mail address', 0, 9), ('name', 20, 30)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from reticent.data.scan.text import LONGEST, Entity, entities, found_in
from reticent.data.scan.text_names import speaks_of_no_person
from reticent.errors import MissingExtra, UsageError

__all__ = ["merged", "model_finder", "model_named", "model_reader"]

_PEOPLE: Final = ("PERSON", "PER")
_LEFT_OUT: Final = ("tagger", "parser", "attribute_ruler", "lemmatizer", "morphologizer", "trainable_lemmatizer")

Spans = list[tuple[int, int]]


def model_named(name: str | None) -> str | None:
    """An installed spaCy model: the one named, or else the first English one, or None.

    Raises:
        MissingExtra: spaCy is not installed.
        UsageError: no installed model is called so.
    """
    try:
        import spacy
    except ImportError as error:
        raise MissingExtra("spacy", "presidio", "Reading texts with a model") from error
    models = sorted(spacy.util.get_installed_models())
    if name is None:
        return next((one for one in models if one.startswith("en")), None)
    if name not in models:
        raise UsageError(
            f"Expected an installed spaCy model ({', '.join(models) or 'there is none'}), got model={name!r}.",
            "Install one, or name another; nothing is downloaded.",
        )
    return name


def model_finder(name: str) -> Callable[[Iterable[str]], Iterator[Spans]]:
    """What gives the places of people's names in each of many texts.

    Raises:
        MissingExtra: spaCy is not installed.
        UsageError: no installed model is called so.
    """
    model_named(name)
    import spacy

    pipeline = spacy.load(name, exclude=list(_LEFT_OUT))

    def find(texts: Iterable[str]) -> Iterator[Spans]:
        for document in pipeline.pipe((text[:LONGEST] for text in texts), batch_size=64):
            yield [
                (one.start_char, one.end_char)
                for one in document.ents
                if one.label_ in _PEOPLE and not speaks_of_no_person(one.text)
            ]

    return find


def merged(own: Sequence[Entity], people: Spans) -> list[Entity]:
    """The own entities, and the names that a model found where they have none."""
    more = [
        Entity("name", start, end)
        for start, end in people
        if all(end <= other.start or other.end <= start for other in own)
    ]
    return sorted([*own, *more], key=lambda one: one.start)


def model_reader(name: str) -> tuple[Callable[[Any], dict[str, list[int]]], str]:
    """What a scan asks about many texts at once, and its name: the own patterns, and the model's names.

    Raises:
        MissingExtra: spaCy is not installed.
        UsageError: no installed model is called so.
    """
    find = model_finder(name)

    def read(texts: Any) -> dict[str, list[int]]:
        found = found_in(texts)
        named = set(found.get("name", ()))
        left = [(place, text) for place, text in enumerate(texts.to_pylist()) if place not in named]
        for (place, text), people in zip(left, find(text for _, text in left), strict=True):
            if people and any(one.kind == "name" for one in merged(entities(text), people)):
                named.add(place)
        return {**found, "name": sorted(named)} if named else found

    return read, f"own patterns and names by spaCy's {name}"
