"""How long `reticent demo` takes, what it uses, and how large its report is.

Run: python benchmarks/demo.py --json [--repeats 3]

Wall seconds depend on what else the machine does; processor seconds (children included) much less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def once(folder: Path) -> dict[str, float]:
    """One run with the default settings."""
    report = folder / "report.html"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-m", "reticent", "demo", "--seed", "1", "--output", str(report)]
    subprocess.run(  # noqa: S603 (our own program)
        command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": wall,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "largest_process_mb": after.ru_maxrss / 1024,
        "report_kb": report.stat().st_size / 1000,
    }


def main() -> None:
    """Print medians as JSON, or as lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [once(Path(folder)) for _ in range(arguments.repeats)]
    result = {
        "benchmark": "demo",
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "repeats": arguments.repeats,
        "median": {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]},
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result["median"].items():
            print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
