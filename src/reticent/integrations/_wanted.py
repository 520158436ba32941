"""What a user of an adapter asks for, and what is agreed once the host says how long it trains.

Promise: a plan that is asked for is taken as it is, or refused; targets are calibrated for exactly the steps that the
host will take, and for the units that the data have: rows, or the people who own them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from reticent import _checks
from reticent.privacy import Plan
from reticent.randomness import Randomness, required
from reticent.training.owning import Units, units_in, units_of
from reticent.training.planning import Wanted, plan_for, refuse_unclear

__all__ = ["Agreed", "Asked"]


class Agreed(NamedTuple):
    """What is executed.

    Attributes:
        plan: sampler, clipping, noise and steps.
        units: whose rows are whose.
        at_once: the most units that are held at once; None: whole batches.
        source: randomness of batches and noise.
        public_facts: for the guarantee's text.
    """

    plan: Plan
    units: Units
    at_once: int | None
    source: Randomness
    public_facts: tuple[str, ...]


class Asked(NamedTuple):
    """The arguments of an adapter's front door, as there."""

    plan: Plan | None
    wanted: Wanted
    owners: Any
    example_level: bool
    physical_batch_size: int | None
    public_facts: tuple[str, ...]
    randomness: Randomness | None

    def checked(self) -> Asked:
        """Itself, if nothing in it contradicts the rest."""
        refuse_unclear(self.plan, self.wanted, steps_are_known=True)
        if self.physical_batch_size is not None:
            _checks.at_least(1, physical_batch_size=self.physical_batch_size)
        if self.randomness is not None:
            required(self.randomness)
        return self

    def units(self, rows: int) -> int:
        """How many units so many rows are: what a pass, and the expected batch size, are counted in."""
        unit = self.wanted.unit if self.plan is None else self.plan.unit
        sampling = self.wanted.sampling if self.plan is None else self.plan.sampling
        return units_in(unit, sampling, self.owners, rows)

    def agreed(self, *, rows: int, batch_size: int, steps: int, rows_at_once: int | None = None) -> Agreed:
        """What is executed by a host that takes so many steps on so many rows.

        Args:
            rows: number of records of the data set.
            batch_size: expected number of units in a batch, if there is no plan.
            steps: number of updates.
            rows_at_once: the most rows that the host holds at once, if the user said nothing else.
        """
        plan = plan_for(self.plan, self.wanted, units=self.units(rows), batch_size=batch_size, steps=steps)
        units = units_of(plan, self.owners, rows, example_level=self.example_level)
        at_once = self.physical_batch_size
        if at_once is None and rows_at_once is not None:
            at_once = max(1, rows_at_once // units.rows_per_unit)
        source = Randomness.secure() if self.randomness is None else self.randomness
        return Agreed(plan, units, at_once, source, self.public_facts)
