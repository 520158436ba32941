"""What a lower bound says about a claimed epsilon or guarantee: violation, consistent, or inconclusive.

Promise: "violation" is said of a claim that holds with at most the probability that the bound's confidence leaves, if
the bound's assumptions are true. "Consistent" is said only where a leak of a stated size would probably have been
found, and never as a proof of privacy. Everything else is "inconclusive", with the number of canaries that it takes.

The rule:
    violation      with a p-value of the whole claimed curve (`test_claim`): it is below 1 - confidence; the bound then
                   decides nothing, since two tests would have to share the error probability. Without one: the bound
                   exceeds the claimed epsilon at its delta. Where the bound is on the mu of a Gaussian curve and the
                   claim is a guarantee, mu has to exceed that of the least Gaussian curve above the claim's: so a claim
                   of another shape is not refuted for its shape.
    consistent     no violation, and a Gaussian mechanism that leaks `factor` (2) times the claimed epsilon, attacked as
                   well as it can be, would have been found with probability 0.8 or more; for single steps, a training
                   with so little noise that it leaks as much (`detecting`).
    inconclusive   anything else; also a claim of no finite epsilon, which nothing can violate.

Example:
    >>> from reticent.audits.bounds import judge, one_run
    >>> from reticent.randomness import Randomness
    >>> chance = Randomness.simulated(1)
    >>> included = chance.bernoulli(0.5, 5000)
    >>> bound = one_run(chance.normal(5000) + 2.0 * included, included, delta=1e-5)  # in truth epsilon 9.93
    >>> [judge(bound, claim).conclusion.value for claim in (2.0, 7.0, 1000.0)]
    ['violation', 'consistent', 'inconclusive']
    >>> print(judge(bound, 2.0).sentences[0])
    Violation at 95 % confidence: the lower bound on epsilon (of a Gaussian trade-off curve) is 6.28 at delta 1e-05, ...
"""

from __future__ import annotations

import math

from reticent import _checks
from reticent._numbers import confidence, shown
from reticent._numbers import p_value as p_text
from reticent.audits.bounds.curves import epsilon_of, gaussian_above
from reticent.audits.bounds.detecting import Detection, detection
from reticent.errors import UsageError
from reticent.evidence.bounds import Conclusion, LowerBound, Verdict
from reticent.privacy import Guarantee
from reticent.privacy.rounding import round_down, round_up

__all__ = ["judge"]

_WANTED = 0.8
_FROM_NOTHING = 1.0  # the epsilon that has to be found, where the claim is 0
_NO_PROOF = (
    "This does not show that the claim holds: smaller excesses, other canaries, other data and stronger attacks were "
    "not tested."
)


def judge(
    bound: LowerBound,
    claim: Guarantee | float,
    *,
    p_value: float | None = None,
    power: float | None = None,
    factor: float = 2.0,
) -> Verdict:
    """Hold a lower bound against a claim.

    Args:
        bound: from one of this package's functions.
        claim: a guarantee about the same unit and relation, or an epsilon at the bound's delta.
        p_value: of the guarantee's whole curve, from `test_claim` on the same scores; then it decides.
        power: how probable it was that a leak of `factor` times the claim would be found; None: computed from the
            bound's design (`detecting`), where it is known.
        factor: by which a mechanism has to leak more than claimed, for `power`.

    Raises:
        UsageError: a claim about another unit or relation, or an argument that cannot mean anything.
    """
    claimed = _claimed(bound, claim)
    if p_value is not None:
        _checks.fraction(p_value=p_value)
        if not isinstance(claim, Guarantee):
            raise UsageError("Expected the guarantee that the p-value is of, got an epsilon.", "Pass the guarantee.")
    if _checks.positive(factor=factor) <= 1.0:
        raise UsageError(f"Expected factor > 1, got factor={factor!r}.", "A leak is more than what is claimed.")
    if math.isinf(claimed):
        words: tuple[str, ...] = ("Inconclusive: no finite epsilon is claimed, so nothing can violate the claim.",)
        return Verdict(Conclusion.INCONCLUSIVE, words, bound, claimed, p_value, None, factor)
    tested: Guarantee | float = claimed
    mu = None
    if p_value is not None:
        violated, tested = p_value < 1.0 - bound.confidence, claim
    elif bound.mu is not None and isinstance(claim, Guarantee):
        mu = gaussian_above(claim)
        violated, tested = bound.mu > mu, max(claimed, epsilon_of(mu, bound.delta))
    else:
        violated = bound.epsilon > claimed
    seen = _seen(bound, claimed, p_value, mu)
    if violated:
        words = _violation(bound, seen, any_shape=p_value is not None or mu is not None)
        return Verdict(Conclusion.VIOLATION, words, bound, claimed, p_value, None, factor)
    leak = factor * claimed if claimed > 0 else _FROM_NOTHING
    known = detection(bound, tested, leak)
    if power is not None:
        _checks.fraction(power=power)
    elif known is not None:
        power = known.power
    conclusion, words = _no_violation(bound, seen, power, known, leak)
    return Verdict(conclusion, words, bound, claimed, p_value, power, factor)


def _claimed(bound: LowerBound, claim: Guarantee | float) -> float:
    if not isinstance(claim, Guarantee):
        return _checks.non_negative(claim=claim, or_infinite=True)
    if (claim.unit, claim.relation) != (bound.unit, bound.relation) or claim.only:
        only = f", {', '.join(claim.only)} only" if claim.only else ""
        raise UsageError(
            f"Expected a claim about {bound.relation.of(bound.unit)}, got one about "
            f"{claim.relation.of(claim.unit)}{only}.",
            "Audit with canaries of the unit and relation that the claim is about.",
        )
    return claim.epsilon(bound.delta)


def _seen(bound: LowerBound, claimed: float, p_value: float | None, mu: float | None) -> str:
    """What was compared with what."""
    shape = " (of a Gaussian trade-off curve)" if bound.mu is not None else ""
    seen = (
        f"the lower bound on epsilon{shape} is {shown(round_down(bound.epsilon, 3))} at delta {shown(bound.delta)}, "
        f"the claim is {shown(round_up(claimed, 3))}"
    )
    if p_value is not None:
        most = p_text(max(p_value, 1e-12))
        seen += f"; under the claimed trade-off curve so many correct guesses have probability {most} at most"
    if mu is not None and bound.mu is not None:
        seen += (
            f"; the claimed trade-off curve lies below that of mu {shown(round_up(mu, 3))}, and the bound on mu is "
            f"{shown(round_down(bound.mu, 3))}"
        )
    return seen


def _violation(bound: LowerBound, seen: str, *, any_shape: bool) -> tuple[str, ...]:
    # Where whole curves are compared, nothing is assumed about a curve's shape.
    used = [text for text in bound.assumptions if not (any_shape and "curve" in text)] or ["none stated"]
    first = f"Violation at {confidence(bound.confidence)} confidence: {seen}."
    return (first, "It rests on these assumptions: " + "; ".join(used) + ".")


def _no_violation(
    bound: LowerBound, seen: str, power: float | None, known: Detection | None, leak: float
) -> tuple[Conclusion, tuple[str, ...]]:
    if power is None:
        unknown = "Whether a larger leak than claimed would have been found is not known."
        return Conclusion.INCONCLUSIVE, (f"Inconclusive: {seen}.", unknown)
    usual = f"A Gaussian mechanism that leaks epsilon {shown(leak)}, attacked as well as it can be,"
    strong = f"{usual if known is None else known.leak} would have been found"
    if power >= _WANTED:
        found = f"{strong} with probability {math.floor(100 * power) / 100:.2f} or more."
        return Conclusion.CONSISTENT, (f"No violation found: {seen}.", found, _NO_PROOF)
    weak = f"{strong} with probability {math.floor(100 * power) / 100:.2f} only; {_WANTED:g} is asked for."
    return Conclusion.INCONCLUSIVE, (f"Inconclusive: {seen}.", weak, *(() if known is None else known.needed(_WANTED)))
