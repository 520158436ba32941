"""What one private training step costs beside an ordinary one, and beside the same step in other libraries.

Run: python benchmarks/private_step.py [--json] [--models mlp,gpt] [--ways reticent,opacus_ghost] [--repeats 15]

A step is forward, loss, backward, clipping, noise, SGD update and zero_grad, on a fixed batch of random data. In every
repeat each way takes one step in turn, so that whatever else the machine does hits all alike. With one thread the
figure is processor time; with more, or on CUDA, wall time. Memory is the most bytes of tensors that are alive at any
moment of one step, measured apart from the time: parameters, data and what torch's allocator hands out (also inside
operations); numpy's arrays and oneDNN's scratch space are not seen.

Before anything is timed, each way takes one step without noise, and its clipped mean gradient is compared with
reticent's. A way that fails says why, and the others go on: so do those of Opacus without the extra `bench`.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import datetime
import gc
import importlib.metadata
import json
import os
import platform
import re
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from _networks import TASKS, Task
from _rivals import CLIP, WAYS, Stepper, norms, per_example_gradients, trainable
from reticent.randomness import Randomness
from reticent.training.seeding import seeded

_NOISE = 1.0
_TOLERANCE = 1e-3
_REWRITTEN = "_rewritten"
_SECOND = "the second step"
_FEWEST, _MOST = 5, 31


@dataclasses.dataclass
class Entrant:
    """One way on one network: how to build it, and what is known of it so far."""

    build: Callable[[float], Stepper]
    found: dict[str, Any]
    stepper: Stepper | None = None

    @property
    def failed(self) -> bool:
        return "failed" in self.found

    def warm(self) -> Stepper:
        """The training with noise, after one more step."""
        self.stepper = self.stepper or self.build(_NOISE)
        _whole(self.stepper)
        return self.stepper

    def attempt(self, task: Callable[[], Any]) -> Any:
        """The result, or None when this way cannot do it; why is noted."""
        if self.failed:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return task()
        except Exception as error:
            self.found["failed"] = _reason(error)
            return None


def compared(task: Task, ways: list[str], settings: argparse.Namespace) -> dict[str, Any]:
    """Everything about one network."""
    network, x, y = task.made(settings.device)
    entrants = dict(_entrants(task, ways, network, x, y))
    result: dict[str, Any] = {
        "about": task.about,
        "batch": task.batch,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "trainable": sum(parameter.numel() for parameter in trainable(network).values()),
        "clipped_share": _clipped_share(network, x, y),
    }
    _note_agreement(entrants, task)
    _note_memory(entrants, x, y)
    for threads in settings.threads:
        torch.set_num_threads(threads)
        key, clock = ("wall", "wall") if x.is_cuda else (f"threads_{threads}", "processor" if threads == 1 else "wall")
        _note_times(entrants, key, clock, settings)
    result["ways"] = {name: entrant.found for name, entrant in entrants.items()}
    return result


def _entrants(
    task: Task, ways: list[str], network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor
) -> Iterator[tuple[str, Entrant]]:
    for name in ways:
        way, about = WAYS[name]

        def build(noise: float, way: Any = way) -> Stepper:
            return way(copy.deepcopy(network), x, y, noise)

        yield name, Entrant(build, {"way": about, "network": "as it is"})
        if name.startswith("opacus") and task.rewrite is not None:

            def rewritten(noise: float, way: Any = way) -> Stepper:
                return way(task.rewrite(copy.deepcopy(network)).train(), x, y, noise)

            yield name + _REWRITTEN, Entrant(rewritten, {"way": about, "network": task.rewritten})


def _note_agreement(entrants: dict[str, Entrant], task: Task) -> None:
    """How far each way's clipped mean gradient is from reticent's, in units of its length."""
    if "reticent" not in entrants:
        return
    wanted = entrants["reticent"].attempt(lambda: _gradient(entrants["reticent"].build(0.0), task))
    for name, entrant in entrants.items():
        if wanted is None or name in ("ordinary", "reticent"):
            continue

        def distance(entrant: Entrant = entrant) -> float:
            return _distance(_gradient(entrant.build(0.0), task), wanted)

        apart = entrant.attempt(distance)
        if apart is not None:
            entrant.found |= {"disagreement": apart, "agrees": apart <= _TOLERANCE}


def _gradient(stepper: Stepper, task: Task) -> dict[str, torch.Tensor]:
    """Name to the gradient that one step used; names are those of the network as it was written."""
    stepper.step()
    found = {}
    for name, parameter in trainable(stepper.network).items():
        short = name.removesuffix(".weight")
        found[short if short in task.bare else name] = parameter.grad.detach().clone()
    return found


def _distance(given: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> float:
    if given.keys() != wanted.keys():
        raise ValueError(f"gradients of other parameters: {sorted(given.keys() ^ wanted.keys())[:4]}")
    apart = sum(float((given[name].double() - value.double()).square().sum()) for name, value in wanted.items())
    length = sum(float(value.double().square().sum()) for value in wanted.values())
    return (apart / length) ** 0.5


def _clipped_share(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float | None:
    """The share of examples that are clipped in the first step; None where torch.func cannot tell."""
    few = slice(0, 16)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lengths = norms(per_example_gradients(network)(x[few], y[few]))
    except (RuntimeError, ValueError):
        return None
    return float((lengths > CLIP).float().mean())


def _note_memory(entrants: dict[str, Entrant], x: torch.Tensor, y: torch.Tensor) -> None:
    for entrant in entrants.values():
        measured = entrant.attempt(lambda entrant=entrant: _peak_and_left(entrant.warm(), x, y))
        if measured is not None:
            entrant.found |= {"peak_mb": round(measured[0] / 1e6, 1), "left_mb": round(measured[1] / 1e6, 1)}
    usual = entrants["ordinary"].found.get("peak_mb")
    for entrant in entrants.values():
        if usual and "peak_mb" in entrant.found:
            entrant.found["peak_ratio"] = round(entrant.found["peak_mb"] / usual, 3)


def _peak_and_left(stepper: Stepper, x: torch.Tensor, y: torch.Tensor) -> tuple[int, int]:
    """The most bytes in a step: those held throughout (parameters, buffers, data) and beside them; and those it leaves.

    Without the collector, as between two of its runs: a step that leaves bytes behind makes memory grow.
    """
    tensors = (*stepper.network.parameters(), *stepper.network.buffers(), x, y)
    held = sum({part.data_ptr(): part.nbytes() for part in (tensor.untyped_storage() for tensor in tensors)}.values())
    gc.collect()
    gc.disable()
    try:
        most, left = (_seen_on_cuda if x.is_cuda else _seen_by_profiler)(stepper)
    finally:
        gc.enable()
        gc.collect()
    return held + most, left


def _seen_on_cuda(stepper: Stepper) -> tuple[int, int]:
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    _whole(stepper)
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before, torch.cuda.memory_allocated() - before


def _seen_by_profiler(stepper: Stepper) -> tuple[int, int]:
    """The second step's: it begins with what a step leaves behind, of which the profiler then knows the size."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as seen:
        _whole(stepper)
        with record_function(_SECOND):
            _whole(stepper)
    now = most = begun = 0
    for event in sorted(seen.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == _SECOND:
            most = begun = now
        elif event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most, now - begun


def _note_times(entrants: dict[str, Entrant], key: str, clock: str, settings: argparse.Namespace) -> None:
    """Interleaved repeats: each way one step in turn, starting with another one each time."""
    steppers = {name: entrant.attempt(lambda entrant=entrant: entrant.warm()) for name, entrant in entrants.items()}
    names = [name for name, stepper in steppers.items() if stepper is not None]
    taken: dict[str, list[float]] = {name: [] for name in names}
    start = time.monotonic()
    for repeat in range(settings.repeats or _MOST):
        if settings.repeats is None and repeat >= _FEWEST and time.monotonic() - start > settings.seconds:
            break
        first = repeat % len(names)
        for name in names[first:] + names[:first]:
            seconds = entrants[name].attempt(
                lambda name=name: _seconds(steppers[name], clock, settings.device == "cuda")
            )
            taken[name].append(float("nan") if seconds is None else seconds)
    usual = taken["ordinary"]
    for name in names:
        if not entrants[name].failed:
            entrants[name].found[key] = {"clock": clock, **_summary(taken[name], usual)}


def _summary(taken: list[float], usual: list[float]) -> dict[str, Any]:
    middle = statistics.median(taken)
    low, _, high = statistics.quantiles(taken, n=4, method="inclusive") if len(taken) > 1 else (middle,) * 3
    return {
        "repeats": len(taken),
        "median_ms": round(1e3 * middle, 3),
        "quartiles_ms": [round(1e3 * low, 3), round(1e3 * high, 3)],
        "ratio_of_medians": round(middle / statistics.median(usual), 3),
        "median_of_ratios": round(statistics.median(a / b for a, b in zip(taken, usual, strict=True)), 3),
    }


def _seconds(stepper: Stepper, clock: str, cuda: bool) -> float:
    gc.collect()
    if cuda:
        torch.cuda.synchronize()
    now = time.process_time if clock == "processor" else time.perf_counter
    start = now()
    _whole(stepper)
    if cuda:
        torch.cuda.synchronize()
    return now() - start


def _whole(stepper: Stepper) -> None:
    stepper.step()
    stepper.clear()


def _reason(error: Exception) -> str:
    text = re.sub(r"\s+", " ", str(error)).strip()
    return f"{type(error).__name__}: {text[:200]}"


def _machine(device: str) -> dict[str, Any]:
    def version(package: str) -> str | None:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    names = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", names.read_text()) if names.exists() else None
    return {
        "processor": found.group(1) if found else platform.processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "opacus", "numpy", "reticent")},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(" ".join(f"{name}={value}" for name, value in result["machine"].items()))
    for name, network in result["networks"].items():
        ways = network["ways"]
        timings = [key for key, value in ways["ordinary"].items() if isinstance(value, dict)]
        title = f"{name}: {network['about']}; batch {network['batch']}, {network['trainable']:,} trainable parameters"
        table = Table(title=title, title_justify="left")
        table.add_column("way")
        for key in timings:
            clock = next(way[key]["clock"] for way in ways.values() if key in way)
            table.add_column(f"{clock} ms, {key.replace('_', ' ')}", justify="right")
            table.add_column("ratio", justify="right")
        for heading in ("peak MB", "ratio", "left MB", "disagreement"):
            table.add_column(heading, justify="right")
        failed = []
        for way, found in ways.items():
            if "failed" in found:
                failed.append(f"{way}: {found['failed']}")
                continue
            cells = []
            for key in timings:
                cells += [f"{found[key]['median_ms']:.1f}", f"{found[key]['median_of_ratios']:.2f}"]
            apart = found.get("disagreement")
            shown = "" if apart is None else f"{apart:.1e}" + ("" if found["agrees"] else " (!)")
            table.add_row(
                way, *cells, f"{found['peak_mb']:.0f}", f"{found['peak_ratio']:.2f}", f"{found['left_mb']:.1f}", shown
            )
        console.print(table)
        for line in failed:
            console.print(line, markup=False)


def _arguments() -> argparse.Namespace:
    def names(allowed: Any) -> Callable[[str], list[str]]:
        def parse(text: str) -> list[str]:
            chosen = text.split(",")
            if unknown := set(chosen) - set(allowed):
                raise argparse.ArgumentTypeError(f"{sorted(unknown)} not among {', '.join(allowed)}")
            return [name for name in allowed if name in chosen]

        return parse

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--models", type=names(TASKS), default=list(TASKS), help="separated by commas")
    parser.add_argument("--ways", type=names(WAYS), default=list(WAYS), help="separated by commas")
    parser.add_argument("--repeats", type=int, help=f"steps of each way; else {_FEWEST} to {_MOST}, see --seconds")
    parser.add_argument("--seconds", type=float, default=60.0, help="time for the repeats of a network and a pass")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="one pass for each number")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    settings = parser.parse_args()
    if settings.device == "cuda":
        settings.threads = settings.threads[:1]
    settings.ways = list(dict.fromkeys(["ordinary", *settings.ways]))  # what the others are divided by
    return settings


def main() -> None:
    """Print everything as JSON, or as tables."""
    settings = _arguments()
    result: dict[str, Any] = {
        "benchmark": "private_step",
        "machine": _machine(settings.device),
        "settings": {
            "noise_multiplier": _NOISE,
            "l2_clip_norm": CLIP,
            "threads": settings.threads,
            "agreement_tolerance": _TOLERANCE,
        },
        "notes": [
            "ratios are to the ordinary step; median_of_ratios compares steps of the same repeat",
            "reticent's noise comes from a cryptographic generator in numpy, that of the others from torch's generator",
            "peak: bytes of parameters, data and torch's allocations; numpy arrays and oneDNN scratch are not seen",
            "left: bytes that are still alive after a step and zero_grad beside those before it, without a collection",
            "disagreement: of the clipped mean gradient without noise with reticent's, in units of its length",
        ],
        "networks": {},
    }
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler would report each start
    torch.set_num_threads(settings.threads[0])
    with seeded(Randomness.simulated(1)):
        for name in settings.models:
            print(f"{name} ...", file=sys.stderr, flush=True)
            result["networks"][name] = compared(TASKS[name], settings.ways, settings)
    if settings.json:
        print(json.dumps(result))
    else:
        _print(result)


if __name__ == "__main__":
    main()
