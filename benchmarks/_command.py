"""What the programs in this folder share: options, what is printed, and what a process cost."""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Mapping
from typing import Any


def asked(doc: str | None, **options: Any) -> argparse.Namespace:
    """The options of a program: --json, and those that are named, with their defaults or as argparse has them.

    Args:
        doc: the program's page.
        options: name to a default, whose type is taken; or to a dictionary of settings. A name that ends in "_" is a
            place: "path_" is called path.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    for name, given in options.items():
        settings = given if isinstance(given, Mapping) else {"default": given, "type": type(given)}
        parser.add_argument(name[:-1] if name.endswith("_") else f"--{name.replace('_', '-')}", **settings)
    return parser.parse_args()


def show(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the figures: as JSON in one line, or part by part."""
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name}: {json.dumps(value, indent=2, ensure_ascii=False)}")


def costed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What work found, what it took, and the peak of resident memory of this process until now."""
    wall, begin = time.perf_counter(), time.process_time()
    found = work()
    return {
        **found,
        "processor_s": time.process_time() - begin,
        "wall_s": time.perf_counter() - wall,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> float:
    """Megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
