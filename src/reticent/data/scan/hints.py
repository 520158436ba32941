"""What a column's name says about what it holds.

Promise: names are compared by their words, whatever way they are written together ("dateOfBirth", "DATE_OF_BIRTH",
"date of birth" and "dateofbirth" are one name), without accents and capitals. A word that speaks against a hint
("phone_verified") takes it away.

Example:
    >>> from reticent.data.scan.hints import Hints, words
    >>> words("PatientGeburtsdatum2")
    ('patient', 'geburtsdatum', '2')
    >>> email = Hints(("email", "correo electronico"), against=("verified",))
    >>> [email.fit(name) for name in ("userEmail", "EMAIL_1", "email_verified", "correoElectrónico")]
    [True, True, False, True]
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from functools import cached_property, lru_cache
from typing import Final

__all__ = ["FLAGS", "TOLD", "Hints", "words"]

FLAGS: Final = frozenset((
    "verified", "valid", "flag", "is", "has", "count", "num", "opt", "optin", "optout", "consent", "sent", "allowed",
    "available", "present", "missing", "provided", "confirmed", "bounced", "score", "rate", "total", "avg", "mean",
))  # fmt: skip
"""Words that say that a column is about something, and does not hold it."""

TOLD: Final = frozenset(("consent", "opt", "optin", "optout", "sent", "allowed", "available", "provided", "bounced"))
"""Those of them that hold for sensitive data too, where a yes or a score says it all (`is_pregnant`)."""

_LONG: Final = 6


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a name."""
    plain = (
        "".join(
            letter
            for letter in unicodedata.normalize("NFKD", name.replace("ß", "ss"))
            if not unicodedata.combining(letter)
        )
        .replace("ø", "o")
        .replace("Ø", "O")
        .replace("ł", "l")
        .replace("Ł", "L")
        .replace("æ", "ae")
        .replace("Æ", "Ae")
    )
    plain = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", plain)
    plain = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", plain).lower()
    plain = re.sub(r"([a-z])([0-9])", r"\1 \2", plain)
    plain = re.sub(r"([0-9])([a-z])", r"\1 \2", plain)
    return tuple(re.findall(r"[^\W_]+", plain))


@dataclasses.dataclass(frozen=True)
class Hints:
    """Names that say what a column holds.

    Args:
        names: each one or several words; of several words all must follow one another.
        against: words that take the hint away, besides those of `about` that are in no name.
        about: words that say that a column is about something, and does not hold it.
    """

    names: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    about: frozenset[str] = FLAGS

    @cached_property
    def _against(self) -> frozenset[str]:
        own = {word for name in self.names for word in words(name)}  # "heart rate" is no rate of hearts
        return frozenset(self.against) | (self.about - own)

    @cached_property
    def _spaced(self) -> frozenset[str]:
        return frozenset(f" {' '.join(words(name))} " for name in self.names)

    @cached_property
    def _joined(self) -> frozenset[str]:
        return frozenset("".join(words(name)) for name in self.names)

    @cached_property
    def _endings(self) -> tuple[str, ...]:
        return tuple(one for one in self._joined if len(one) >= _LONG)

    def fit(self, name: str) -> bool:
        """Whether a column's name is one of them."""
        found = words(name)
        if not self.names or not found or self._against.intersection(found):
            return False
        spaced, joined = f" {' '.join(found)} ", "".join(found)
        if any(one in spaced for one in self._spaced) or joined in self._joined:
            return True
        plain = joined.rstrip("0123456789")
        return plain.endswith(self._endings) if self._endings else False
