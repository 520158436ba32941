"""How well a release is linked to a register, how right the probabilities are, and what it costs.

Run: python benchmarks/linkage.py [--json] [--seeds 3] (needs `reticent data fetch febrl4`)

* febrl4: FEBRL 4, 5,000 people in two registers, the second with typing errors; all ten columns that both have (bar:
  F1 at least 0.98 at the threshold that no label chose).
* absent: the same without the two identifying numbers (social security, date of birth), every other person missing
  from the register.
* forms: the release noised, nameless, generalised, k-anonymous.

Times are of the processor; memory is the largest that the process had.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from _command import asked, peak_mb, show
from reticent.attacks.reidentification.linkage import Linkage, People, effects, link
from reticent.data.catalogue import entry
from reticent.data.entry import Entry
from reticent.data.fetch import fetched
from reticent.data.tables import Table, read
from reticent.randomness import Randomness

LEFT_OUT = ("rec_id", "soc_sec_id", "date_of_birth")


def registers() -> tuple[Table, Table, People]:
    found: Entry = entry("febrl4")
    folder = fetched(found)
    first, second = (read(folder / f"dataset4{letter}.csv") for letter in "ab")
    return first, second, People.of(first, second, "rec_id", r"rec-(\d+)")


def figures(found: Linkage, seconds: float) -> dict[str, Any]:
    return {
        **{name: str(one) for name, one in found.finding.estimates.items()},
        **{name: str(one) for name, one in found.finding.baseline.items() if "people" in name or "f1" in name},
        "expected precision": found.finding.details["expected"]["precision"],
        "threshold": found.finding.details["threshold"],
        "pairs": found.finding.details["candidate pairs"],
        "seconds": round(seconds, 1),
        "reliability": [{name: round(value, 4) for name, value in one.items()} for one in found.reliability or ()],
    }


def timed(*arguments: Any, **settings: Any) -> dict[str, Any]:
    began = time.process_time()
    found = link(*arguments, **settings)
    return figures(found, time.process_time() - began)


def main() -> None:
    options = asked(__doc__, seeds=3)
    release, register, people = registers()
    columns = [name.strip() for name in release.names if name.strip() != "rec_id"]
    few = [name for name in columns if name not in LEFT_OUT]
    found: dict[str, Any] = {
        "febrl4": [
            timed(release, register, Randomness.simulated(seed), truth=people, columns=columns)
            for seed in range(options.seeds)
        ]
    }
    found["peak GB of febrl4"] = round(peak_mb() / 1024, 2)
    half = np.arange(0, len(register), 2)
    part, known = register.take(half), People(people.release, people.register[half])
    found["absent"] = timed(release, part, Randomness.simulated(0), truth=known, columns=few)
    forms = effects(release, register, Randomness.simulated(0), truth=people, columns=columns)
    found["forms"] = {
        name: forms.reasons.get(name)
        or {
            "rows": forms.released[name],
            "people found": str(forms.named[name]),
            **figures(one, one.finding.details["processor seconds"]),
        }
        for name, one in forms.forms.items()
        if one is not None or name in forms.reasons
    }
    found["peak GB"] = round(peak_mb() / 1024, 2)
    show(found, as_json=options.json)


if __name__ == "__main__":
    main()
