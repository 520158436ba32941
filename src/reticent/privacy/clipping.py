"""How the contribution of one unit is bounded: the part of a plan that says what clipping does.

Promise: whatever is chosen, adding or removing one unit moves a step's noisy quantities by no more than the plan's
noise multiplier accounts for; the guarantee is the same for all of them, and only usefulness differs.

* flat (the default): one threshold for the gradient over all parameters (Abadi et al., 2016).
* grouped: a threshold for each layer, or for each named part of the network, with sum of squares `l2_clip_norm`^2
  (McMahan et al., 2018, section 3; He et al., 2023). Noise is proportional to the group's own threshold.
* normalised: every gradient is scaled to the threshold, also a short one: factor C / (norm + 0.01) (Bu et al., 2023,
  "automatic clipping"), so that C only sets the step size.
* adaptive: thresholds follow a quantile of the norms, estimated with noise of its own (Andrew et al., 2021). The
  estimate spends a part of the plan's noise multiplier: the gradients get `gradient_noise_multiplier`, a little more,
  and both together cost what the plan says. It is divided by the expected batch size, never by the actual one.

Example:
    >>> from reticent.privacy import Clipping, Plan
    >>> plan = Plan(1.0, dataset_size=60_000, batch_size=600, steps=1000, clipping=Clipping(quantile=0.5))
    >>> plan.clipping.count_noise(plan.noise_multiplier, plan.batch_size, groups=1)  # of the count of short gradients
    30.0
    >>> round(plan.clipping.gradient_noise_multiplier(1.0, 600, groups=1), 6)
    1.000139
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from reticent import _checks
from reticent.errors import UsageError

__all__ = ["Clipping"]

_SPREAD = 20  # Andrew et al. (2021), section 3.1: noise on the count of a twentieth of the batch
_LEAST = 2.5  # ... but at least so many times the noise multiplier times sqrt(groups): 2 % more noise on the gradients


@dataclasses.dataclass(frozen=True)
class Clipping:
    """What clipping does with a gradient.

    Args:
        groups: "all" for one threshold; "layer" for one for each module's own parameters; or a mapping from the
            beginning of parameter names to the group's share of the threshold (relative; what no name fits shares a
            last group of share 1).
        normalised: scale short gradients up, too.
        quantile: share of gradients that should be left unclipped; thresholds then move towards it. None: they stay.
        learning_rate: how fast they move, per step, in natural logarithms.

    Raises:
        UsageError: unknown groups, a value out of range, both `normalised` and `quantile`.
    """

    groups: str | Mapping[str, float] = "all"
    normalised: bool = False
    quantile: float | None = None
    learning_rate: float = 0.2

    def __post_init__(self) -> None:
        if isinstance(self.groups, str):
            _checks.one_of(("all", "layer"), groups=self.groups)
        else:
            if not isinstance(self.groups, Mapping) or not self.groups:
                raise UsageError(
                    f"Expected groups 'all', 'layer' or a mapping of names to shares, got groups={self.groups!r}.",
                    "Pass for instance groups={'head': 1.0}.",
                )
            for name, share in self.groups.items():
                _checks.positive(**{f"groups[{name!r}]": share})
            object.__setattr__(self, "groups", {str(name): float(share) for name, share in self.groups.items()})
        if self.quantile is not None:
            _checks.open_fraction(quantile=self.quantile)
            if self.normalised:
                raise UsageError(
                    "Expected normalised clipping or a quantile, got both.",
                    "Normalising needs no threshold to follow the norms.",
                )
        _checks.positive(learning_rate=self.learning_rate)

    def assigned(self, names: Iterable[str]) -> tuple[dict[str, int], list[float]]:
        """Each parameter's group, and each group's part of the clipping norm (the squares of the parts add up to 1).

        Raises:
            UsageError: a named group has no parameters.
        """
        ordered = list(names)
        if self.groups == "all":
            return dict.fromkeys(ordered, 0), [1.0]
        if isinstance(self.groups, str):
            keys = [name.rpartition(".")[0] for name in ordered]
            shares = dict.fromkeys(keys, 1.0)
        else:
            keys = [max((k for k in self.groups if name.startswith(k)), key=len, default="") for name in ordered]
            unused = [key for key in self.groups if key not in keys]
            if unused:
                raise UsageError(
                    f"Expected parameters whose names begin with {unused[0]!r}, got none.",
                    f"The first parameters are {', '.join(ordered[:4])}.",
                )
            shares = {key: self.groups.get(key, 1.0) for key in keys}
        length = math.sqrt(sum(share**2 for share in shares.values()))
        order = list(shares)
        return {name: order.index(key) for name, key in zip(ordered, keys, strict=True)}, [
            shares[key] / length for key in order
        ]

    def count_noise(self, noise_multiplier: float, batch_size: int, *, groups: int) -> float:
        """Standard deviation of the noise on each group's count of unclipped gradients."""
        return max(batch_size / _SPREAD, _LEAST * noise_multiplier * math.sqrt(groups))

    def gradient_noise_multiplier(self, noise_multiplier: float, batch_size: int, *, groups: int) -> float:
        """The noise multiplier of the gradients, such that they and the counts together have the planned one.

        One unit moves the gradients by 1 / multiplier standard deviations, and each group's count, from which one half
        is taken for every unit, by at most 1/2 (Andrew et al., 2021, theorem 1).
        """
        if self.quantile is None or noise_multiplier == 0:
            return noise_multiplier
        counted = groups / (2 * self.count_noise(noise_multiplier, batch_size, groups=groups)) ** 2
        return 1 / math.sqrt(noise_multiplier**-2 - counted)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` makes an equal one of them."""
        groups = self.groups if isinstance(self.groups, str) else dict(self.groups)
        return {**{f.name: getattr(self, f.name) for f in dataclasses.fields(self)}, "groups": groups}

    @classmethod
    def from_dict(cls, values: Any) -> Clipping:
        """What `as_dict` wrote."""
        if not isinstance(values, dict) or set(values) != {field.name for field in dataclasses.fields(cls)}:
            raise UsageError(f"Expected the fields of clipping, got {values!r}.", "Write them as saved.")
        return cls(**values)
