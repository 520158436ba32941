"""Before training: find what is personal, leave out what the model can do without, and measure what is left.

Run: python examples/before_training.py

    >>> told = main(rows=3000)
    >>> told["direct identifiers"]
    ['insurance', 'mail']
    >>> sorted(told["left out"]), told["minimised"]
    (['born', 'zip'], 'confirmed')
    >>> told["alone before"] > 0.5 > told["alone after"]
    True
"""

from __future__ import annotations

from typing import Any

from stdnum.us import ssn

import reticent as rt
from reticent.data.tables import Table


def patients(rows: int) -> Table:
    """People who do not exist. Age and smoking say who is ill; birthday and ZIP code do not."""
    draw = rt.Randomness.simulated(1)
    age, smokes = 18 + draw.integers(72, rows), draw.uniform((rows,)) < 0.3
    parts = (1 + draw.integers(most, rows) for most in (664, 98, 9998))
    numbers = [f"{area:03d}-{group:02d}-{serial:04d}" for area, group, serial in zip(*parts, strict=True)]
    return Table.of(
        {
            "insurance": [number if ssn.is_valid(number) else None for number in numbers],
            "mail": [f"someone{k}@example.org" for k in range(rows)],
            "age": age,
            "born": [f"{1 + k % 28:02d}.{1 + k % 12:02d}." for k in draw.integers(336, rows)],
            "zip": [f"{k:05d}" for k in 10_000 + draw.integers(90_000, rows)],
            "smokes": smokes,
            "ill": (age > 55) ^ smokes ^ (draw.uniform((rows,)) < 0.02),
        }
    )


def main(rows: int = 6000) -> dict[str, Any]:
    """What was found, left out, and remains."""
    table, source = patients(rows), rt.Randomness.simulated(3)
    direct = sorted({one.column for one in rt.scan(table).direct})
    less = table.without(direct)
    found = rt.minimise(less, "ill", prefer_dropping=["zip", "born"], tolerance=0.03, randomness=source)
    kept, _ = found.map.apply(less)
    quasi = [name for name in ("age", "born", "zip", "smokes") if name in kept]
    alone = [
        float((part.classes(names).sizes == 1).sum()) / rows
        for part, names in ((less, ["age", "born", "zip"]), (kept, quasi))
    ]
    return {
        "direct identifiers": direct,
        "minimised": found.status,
        "left out": found.map.dropped,
        "alone before": alone[0],
        "alone after": alone[1],
    }


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name:20s} {value}")
