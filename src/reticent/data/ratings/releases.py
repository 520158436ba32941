"""Ways of releasing ratings with less in them, and what each of them promises.

Promise: people and items of a release keep their numbers, so that an attack on it can be scored; whoever is not in it
has no rating there. What an attacker may know of the way (how long a period is, how much noise there is) stands in
`Blur`, and an attack is given it: a release whose protection rests on nobody knowing how it was made has none.

* `with_dates` publishes the middle of the week, month of 30 days or year of 365 instead of the day, or no date.
* `with_noise` moves each value and each date at random, once: a value with a given probability to its neighbour, a date
  by up to so many days. No differential privacy: items themselves stay.
* `without_rare` leaves out items that fewer than so many people rated.
* `sampled` keeps each rating, or each person, with a given probability.
* `grouped` and `suppressed` are k-anonymity and k^m-anonymity (`reticent.data.ratings.grouping`, `.suppression`).

Example:
    >>> from reticent.data.ratings import releases, simulated_ratings
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> made = simulated_ratings(500, 200, 20_000, source)
    >>> monthly = releases.with_dates(made, "month")
    >>> monthly.name, monthly.blur.period, len(monthly.ratings) == len(made)
    ('dates by month', 30, True)
    >>> releases.with_dates(made, "none").ratings
    Ratings(... of 500 people, 200 items, 5 values)
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from reticent import _checks
from reticent.data.ratings.store import Ratings
from reticent.errors import UsageError
from reticent.randomness import Randomness, required

__all__ = ["PERIODS", "Blur", "Release", "as_it_is", "sampled", "with_dates", "with_noise", "without_rare"]

PERIODS: Final = {"week": 7, "month": 30, "year": 365}


@dataclasses.dataclass(frozen=True)
class Blur:
    """What was done to values and dates, as everybody may know it.

    Args:
        period: dates stand for periods of so many days; 1 is the day itself.
        days: dates were moved by up to so many days to either side, all equally likely.
        moved: the probability that a value was moved to a neighbour.
        kept: the probability that a rating is in the release if its person is.
    """

    period: int = 1
    days: int = 0
    moved: float = 0.0
    kept: float = 1.0

    def __post_init__(self) -> None:
        _checks.at_least(1, period=self.period)
        _checks.at_least(0, days=self.days)
        _checks.fraction(moved=self.moved)
        _checks.fraction(kept=self.kept)


@dataclasses.dataclass(frozen=True)
class Release:
    """Ratings as they are given away.

    Args:
        name: short, as it stands in tables.
        ratings: what is given away.
        meaning: one sentence: what was done.
        promise: one sentence: what it promises, and what not.
        blur: what was done to values and dates.
        groups: (people,) the group of each person where groups share one profile, or None.
    """

    name: str
    ratings: Ratings
    meaning: str
    promise: str = "Nothing."
    blur: Blur = dataclasses.field(default_factory=Blur)
    groups: Any = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values: everything but the ratings themselves."""
        return {
            "name": self.name,
            "meaning": self.meaning,
            "promise": self.promise,
            "ratings": len(self.ratings),
            "people": int((self.ratings.sizes > 0).sum()),
            "items": int((self.ratings.supports > 0).sum()),
            "blur": dataclasses.asdict(self.blur),
            "smallest_group": None if self.groups is None else int(np.bincount(self.groups).min()),
        }


def as_it_is(ratings: Ratings, name: str = "names removed") -> Release:
    """Everything, under numbers instead of names: what "pseudonymised" means."""
    return Release(name, ratings, "Names were replaced by numbers; nothing else was changed.")


def with_dates(ratings: Ratings, period: str) -> Release:
    """Dates by "week", "month" (30 days) or "year" (365 days), or "none".

    Raises:
        UsageError: another period, or ratings without dates.
    """
    _checks.one_of((*PERIODS, "none"), period=period)
    if ratings.days is None:
        raise UsageError("Expected ratings with dates, got none.", "There is nothing to coarsen.")
    if period == "none":
        return Release("no dates", dataclasses.replace(ratings, days=None), "Dates were left out.")
    length = PERIODS[period]
    # The middle of the period stands for it, so that an error is at most half of it; periods begin on day 0.
    middles = (np.arange(ratings.span) // length * length + length // 2).astype(np.uint16)
    changed = dataclasses.replace(ratings, days=middles[ratings.days])
    return Release(
        f"dates by {period}", changed, f"Dates tell the {period} ({length} days) only.", blur=Blur(period=length)
    )


def with_noise(ratings: Ratings, *, moved: float, days: int, randomness: Randomness) -> Release:
    """Values and dates that were moved at random.

    Args:
        ratings: what is to be released.
        moved: the probability with which a value goes to a neighbour, up or down alike (inwards at the ends).
        days: the most days by which a date goes to either side, all equally likely (cut off at the ends).
        randomness: a generator.
    """
    blur = Blur(moved=moved, days=days)
    source = required(randomness)
    scores, since = ratings.scores, ratings.days
    if scores is not None and moved > 0 and len(ratings.values) > 1:
        goes = source.bernoulli(moved, len(ratings))
        up = source.bernoulli(0.5, len(ratings))
        last = len(ratings.values) - 1
        up = np.where(scores == 0, True, np.where(scores == last, False, up))
        scores = np.where(goes, np.where(up, scores + 1, scores - 1), scores).astype(np.uint8)
    if since is not None and days > 0:
        shift = source.integers(2 * days + 1, len(ratings)) - days
        since = np.clip(since + shift, 0, ratings.span - 1).astype(np.uint16)
    changed = dataclasses.replace(ratings, scores=scores, days=since)
    meaning = f"{moved:.0%} of the values were moved to a neighbour, and dates by up to {days} days."
    return Release(f"noise ({moved:.0%}, {days} days)", changed, meaning, blur=blur)


def without_rare(ratings: Ratings, least: int) -> Release:
    """Items that at least so many people rated."""
    _checks.at_least(1, least=least)
    common = np.repeat(ratings.supports >= least, ratings.supports)
    return Release(
        f"items of {least} or more",
        ratings.keeping(common),
        f"Items that fewer than {least} people rated were left out.",
        f"Whoever knows one item of a person, and nothing else, finds at least {least} people who rated it.",
    )


def sampled(ratings: Ratings, share: float, randomness: Randomness, *, of: str = "ratings") -> Release:
    """A part of the ratings, or of the people, each kept by a coin of its own.

    Args:
        ratings: what is to be released.
        share: the probability of being kept.
        randomness: a generator.
        of: "ratings" or "people".
    """
    _checks.one_of(("ratings", "people"), of=of)
    share = _checks.fraction(share=share)
    source = required(randomness)
    if of == "people":
        kept = source.bernoulli(share, ratings.count)[ratings.people]
        meaning, blur = f"{share:.0%} of the people are in it, with everything.", Blur()
    else:
        kept = source.bernoulli(share, len(ratings))
        meaning, blur = f"{share:.0%} of the ratings are in it.", Blur(kept=share)
    if not kept.any():
        raise UsageError(f"Expected something to be left, got nothing at share={share!r}.", "Keep more.")
    return Release(f"{share:.0%} of {of}", ratings.keeping(kept), meaning, blur=blur)
