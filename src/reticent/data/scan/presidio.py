"""Presidio's recognisers for texts, without the network.

Promise: nothing is downloaded: with a spaCy model that is installed, names and places are found too; without one
Presidio runs on patterns alone, and `engine_of` says so. Entities below the threshold are left out: some of Presidio's
patterns fit almost any number, with a score of 0.01 to 0.05. Presidio's list of top-level domains is the one that came
with its package.

How it works: tldextract, which Presidio asks whether a domain exists, would fetch a newer list; it is given one that
does not.

Sources: Microsoft Presidio 2.2 (`NoOpNlpEngine`, `SpacyNlpEngine`).

Example:
    >>> from reticent.data.scan.presidio import KINDS
    >>> KINDS["US_SSN"]
    'US social security number'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from reticent import _checks
from reticent.data.scan.model_names import model_named
from reticent.data.scan.text import Entity, found_in
from reticent.errors import MissingExtra

__all__ = ["KINDS", "THRESHOLD", "analyser", "engine_of", "reader"]

THRESHOLD: Final = 0.4
KINDS: Final = {
    "CREDIT_CARD": "payment card number",
    "CRYPTO": "cryptocurrency address",
    "DATE_TIME": "date",
    "EMAIL_ADDRESS": "e-mail address",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP address",
    "LOCATION": "place below a state",
    "MAC_ADDRESS": "MAC address",
    "MEDICAL_LICENSE": "US DEA number",
    "NRP": "nationality",
    "PERSON": "name",
    "PHONE_NUMBER": "telephone number",
    "UK_NHS": "UK NHS number",
    "URL": "web address",
    "US_BANK_NUMBER": "account number",
    "US_DRIVER_LICENSE": "licence or certificate number",
    "US_ITIN": "US taxpayer number (ITIN)",
    "US_NPI": "US provider number (NPI)",
    "US_PASSPORT": "passport number",
    "US_SSN": "US social security number",
    "UUID": "random identifier (UUID)",
}
"""Presidio's names of entities, and those of the same kinds here."""


def engine_of(model: str | None) -> str:
    """What finds entities, in words."""
    return f"Presidio with spaCy's {model}" if model else "Presidio on patterns alone: no spaCy model is installed"


def analyser(
    threshold: float = THRESHOLD, model: str | None = None
) -> tuple[Callable[[str], list[Entity]], str | None]:
    """What gives the entities of an English text, and the spaCy model that it uses, if there is one.

    Args:
        threshold: entities with a lower score are left out.
        model: an installed spaCy model; the first English one, if none is named.

    Raises:
        MissingExtra: Presidio is not installed.
        UsageError: the threshold is not in [0, 1], or no installed model is called so.
    """
    threshold = _checks.fraction(threshold=threshold)
    try:
        import presidio_analyzer
        import tldextract
        from presidio_analyzer.nlp_engine import (
            NerModelConfiguration,
            NlpEngineProvider,
            NoOpNlpEngine,
            SpacyNlpEngine,
        )
    except ImportError as error:
        raise MissingExtra("presidio-analyzer", "presidio", "Reading texts with Presidio") from error
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    model = model_named(model)
    if model is None:
        engine: Any = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
    else:
        settings = NlpEngineProvider().nlp_configuration["ner_model_configuration"]  # Presidio's own, without the model
        engine = SpacyNlpEngine(
            models=[{"lang_code": "en", "model_name": model}],
            ner_model_configuration=NerModelConfiguration.from_dict(settings),
        )
    found = presidio_analyzer.AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])

    def entities(text: str) -> list[Entity]:
        return [
            Entity(KINDS.get(one.entity_type, one.entity_type), one.start, one.end, one.score == 1)
            for one in found.analyze(text, language="en", score_threshold=threshold)
        ]

    return entities, model


def reader(threshold: float = THRESHOLD, model: str | None = None) -> tuple[Callable[[Any], dict[str, list[int]]], str]:
    """What a scan asks about many texts at once, and its name: Presidio's entities and the own ones together.

    Raises:
        MissingExtra: Presidio is not installed.
        UsageError: the threshold is not in [0, 1], or no installed model is called so.
    """
    find, model = analyser(threshold, model)

    def read(texts: Any) -> dict[str, list[int]]:
        found = {kind: set(places) for kind, places in found_in(texts).items()}
        for place, text in enumerate(texts.to_pylist()):
            for one in find(text[:100_000]):
                found.setdefault(one.kind, set()).add(place)
        return {kind: sorted(places) for kind, places in found.items()}

    return read, f"own patterns and {engine_of(model)}"
