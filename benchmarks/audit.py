"""All benchmarks of audits in one: fleets, scores, bounds, bugs, statistics per person, audits on real data.

Run: python benchmarks/audit.py [--json] [--quick] [--only fleet,scores,bounds,bugs,people,real]

Each part is a script of its own with its own page (`python benchmarks/SCRIPT.py --help`); this one runs them in turn,
in processes of their own and with one thread, and puts their JSON side by side. `--quick` asks for less of all:
figures that say whether a part works, not how good it is. `real` needs fetched data sets and is left out by default.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PARTS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "fleet": ("fleet.py", (), ("--only", "digits32", "--repeats", "1")),
    "scores": ("membership_scores.py", (), ("--only", "accuracy", "--seeds", "1", "--draws", "1", "--models", "2,8")),
    "bounds": ("bounds.py", (), ("--repeats", "3", "--trials", "20")),
    "bugs": ("injected_bugs.py", ("--confidence", "0.99"), ("--repeats", "1", "--clean", "2", "--confidence", "0.99")),
    "people": ("per_person.py", (), ("--records", "2000", "--models", "16")),
    "real": ("real_audits.py", (), ("--records", "1000", "--shadows", "8")),
}


def part(name: str, quick: bool) -> dict[str, Any]:
    """What one script prints, and how long it took."""
    script, whole, less = PARTS[name]
    start = time.perf_counter()
    ended = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, str(Path(__file__).with_name(script)), "--json", *(less if quick else whole)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    seconds = round(time.perf_counter() - start, 1)
    if not ended.stdout.strip():
        return {"script": script, "wall_s": seconds, "failed": ended.stderr.strip().splitlines()[-1:]}
    return {"script": script, "wall_s": seconds, "exit_code": ended.returncode, "result": json.loads(ended.stdout)}


def main() -> None:
    """Print all results as JSON, or how long each took and whether it failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(name for name in PARTS if name != "real"))
    arguments = parser.parse_args()
    parts = {}
    for name in arguments.only.split(","):
        parts[name] = part(name, arguments.quick)
        if not arguments.json:
            print(f"{name}: {parts[name]['wall_s']} s, {'failed' if 'failed' in parts[name] else 'done'}", flush=True)
    if arguments.json:
        print(json.dumps({"benchmark": "audit", "quick": arguments.quick, "parts": parts}))


if __name__ == "__main__":
    main()
