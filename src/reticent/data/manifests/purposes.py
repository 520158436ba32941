"""What data may be used for: a short list of purposes, narrower ones below broader ones.

Promise: a purpose that is asked for is allowed if it, or a broader one, is allowed, and nothing that it covers or is
covered by is prohibited. What is not on the list is no purpose: a misspelt one is refused, with the nearest one. Asking
for a broad purpose of which a part is prohibited is refused too: it would cover the part.

Identifiers: those of the Data Privacy Vocabulary (DPV 2, `https://w3id.org/dpv#`) and of the Data Use Ontology (DUO),
where the list has one that means the same. DUO_0000042 is research of any kind, DUO_0000006 health or medical or
biomedical research, DUO_0000007 research on a disease that is named beside it, DUO_0000043 clinical care. Training an
AI system is `train_ai_system` in Fideslang, which has no addresses. Here it stands beside the others: who agrees to
research has not agreed to every network that is trained, and who is against training is not against research. Who
trains for research asks for both.

Not covered: whether a purpose is lawful, or compatible with that of the collection (GDPR Art. 5(1)(b), 6(4)): people
decide that; here it is written down, and kept to.

Example:
    >>> from reticent.data.manifests import allows
    >>> allows("academic research", allowed=["research"], prohibited=["marketing"])
    True
    >>> allows("research", allowed=["research"], prohibited=["commercial research"])
    False
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Final

from reticent import _checks

__all__ = ["DPV", "DUO", "PURPOSES", "Purpose", "allows", "conditions", "known", "overlap", "tree"]

DPV: Final = "https://w3id.org/dpv#"
DUO: Final = "http://purl.obolibrary.org/obo/DUO_"


@dataclasses.dataclass(frozen=True)
class Purpose:
    """A purpose of the list.

    Attributes:
        name: as it is asked for.
        broader: the purpose that covers it, or None.
        dpv: its name in the Data Privacy Vocabulary, or None.
        duo: its number in the Data Use Ontology, or None.
    """

    name: str
    broader: str | None = None
    dpv: str | None = None
    duo: str | None = None

    @property
    def identifier(self) -> str:
        """Its address: DPV's, else DUO's, else one of this house."""
        if self.dpv is not None:
            return DPV + self.dpv
        return DUO + self.duo if self.duo is not None else f"urn:reticent:purpose:{self.name.replace(' ', '-')}"


_RESEARCH = "research"
_SERVICE = "service provision"
_LISTED: Final = (
    Purpose(_RESEARCH, None, "ResearchAndDevelopment", "0000042"),
    Purpose("scientific research", _RESEARCH, "ScientificResearch"),
    Purpose("academic research", _RESEARCH, "AcademicResearch"),
    Purpose("commercial research", _RESEARCH, "CommercialResearch"),
    Purpose("non-commercial research", _RESEARCH, "NonCommercialResearch"),
    Purpose("health research", _RESEARCH, None, "0000006"),
    Purpose("disease-specific research", "health research", None, "0000007"),
    Purpose("clinical care", None, None, "0000043"),
    Purpose("treatment", "clinical care"),
    Purpose("public benefit", None, "PublicBenefit"),
    Purpose("healthcare improvement", "public benefit", "ImproveHealthcare"),
    Purpose("AI training"),
    Purpose("AI training for research", "AI training"),
    Purpose("AI training for products", "AI training"),
    Purpose("insurance"),
    Purpose("insurance pricing", "insurance"),
    Purpose(_SERVICE, None, "ServiceProvision"),
    Purpose("service optimisation", _SERVICE, "ServiceOptimisation"),
    Purpose("service usage analytics", _SERVICE, "ServiceUsageAnalytics"),
    Purpose("personalisation", None, "Personalisation"),
    Purpose("service personalisation", "personalisation", "ServicePersonalisation"),
    Purpose("personalised advertising", "personalisation", "PersonalisedAdvertising"),
    Purpose("marketing", None, "Marketing"),
    Purpose("direct marketing", "marketing", "DirectMarketing"),
    Purpose("security", None, "EnforceSecurity"),
    Purpose("fraud prevention", "security", "FraudPreventionAndDetection"),
    Purpose("identity verification", "security", "IdentityVerification"),
    Purpose("legal compliance", None, "LegalCompliance"),
    Purpose("privacy audit"),
    Purpose("teaching"),
)
PURPOSES: Final = {one.name: one for one in _LISTED}
"""Name of each purpose to what it is."""


def conditions(allowed: Iterable[str], prohibited: Iterable[str]) -> str:
    """What is allowed and what is not, as a sentence each.

    Example:
        >>> conditions(["research"], ["health research", "marketing"])
        'Allowed: research. Prohibited, whatever allows it: health research, marketing.'
    """
    said = f"Allowed: {', '.join(allowed) or 'nothing'}."
    return f"{said} Prohibited, whatever allows it: {', '.join(prohibited)}." if prohibited else said


def tree() -> Iterator[tuple[int, Purpose]]:
    """All purposes, each after the one that covers it and with its depth."""

    def below(name: str | None, depth: int) -> Iterator[tuple[int, Purpose]]:
        for one in _LISTED:
            if one.broader == name:
                yield depth, one
                yield from below(one.name, depth + 1)

    return below(None, 0)


def known(purpose: object) -> str:
    """The purpose, if it is on the list.

    Raises:
        UsageError: it is not; the message offers the nearest one.
    """
    return _checks.one_of(PURPOSES, purpose=purpose)


def allows(purpose: str, *, allowed: Iterable[str], prohibited: Iterable[str] = ()) -> bool:
    """Whether a purpose is allowed.

    Args:
        purpose: what is asked for.
        allowed: purposes that are allowed, with all that they cover.
        prohibited: purposes that are not, whatever allows them.

    Raises:
        UsageError: a purpose that is not on the list.
    """
    above = _upwards(known(purpose))
    if any(overlap(purpose, one) for one in prohibited):
        return False
    return any(known(one) in above for one in allowed)


def overlap(one: str, other: str) -> bool:
    """Whether one of two purposes covers the other."""
    return known(other) in _upwards(known(one)) or one in _upwards(other)


def _upwards(name: str) -> tuple[str, ...]:
    """The purpose and all that cover it."""
    found: list[str] = []
    place: str | None = name
    while place is not None:
        found.append(place)
        place = PURPOSES[place].broader
    return tuple(found)
