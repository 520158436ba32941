"""`reticent audit`: what a model gives away; with `--selftest`, whether the audits themselves are to be trusted."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from reticent.audits.configuration import AuditConfig
    from reticent.audits.configured import Limit
    from reticent.audits.outcome import Audit
    from reticent.audits.selftest import SelfTest
    from reticent.randomness import Randomness

__all__ = ["audit"]

GATE_FAILED = 1
NOT_RESOLVABLE = 3


def audit(
    config: Annotated[
        Path | None,
        typer.Argument(help="What to audit, in TOML; see docs/auditing.md.", metavar="CONFIG", show_default=False),
    ] = None,
    selftest: Annotated[
        bool,
        typer.Option("--selftest", help="Audit models and mechanisms whose truth is known; exit code 1 if one fails."),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A shorter self-test: half a minute in place of two minutes.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the record (of a self-test: its outcomes) as JSON.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace whatever stands where the results go; without it, only results of the same audit.",
        ),
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Make the run repeatable; instead of the seed in the configuration.")
    ] = None,
) -> None:
    """Audit a model as a file says; exit code 1 if a limit of its policy is exceeded, 3 if that cannot be told."""
    from reticent.errors import UsageError
    from reticent.randomness import Randomness

    if selftest == (config is not None):
        raise UsageError(
            "Expected a configuration or --selftest, got neither or both.",
            "Run reticent audit CONFIG, or reticent audit --selftest.",
        )
    if overwrite and selftest:
        raise UsageError("Expected --overwrite with a configuration only.", "A self-test writes no file.")
    if quick and not selftest:
        raise UsageError("Expected --quick with --selftest only.", "Ask for fewer shadow models in the configuration.")
    if config is not None:
        _configured(config, seed=seed, json=json, overwrite=overwrite)
        return
    source = Randomness.secure() if seed is None else Randomness.simulated(seed)
    found = _selftest(source, quick=quick, json=json)
    if not found.passed:
        raise typer.Exit(GATE_FAILED)


def _configured(path: Path, *, seed: int | None, json: bool, overwrite: bool) -> None:
    from reticent._numbers import count
    from reticent.audits.configuration import AuditConfig
    from reticent.audits.configured import carried_out, limits, planned, prepared, require_replaceable
    from reticent.cli._output import bars, errors, print_json

    config = AuditConfig.read(path)
    if seed is not None:
        config = config.model_copy(update={"attack": config.attack.model_copy(update={"seed": seed})})
    if not overwrite:
        require_replaceable(config)
    with _somebody_elses_errors():
        ready = prepared(config)
    if not json:
        errors.print(f"{count(len(ready.members))} members, {count(len(ready.nonmembers))} others.", markup=False)
        for sentence in planned(config, ready).sentences:
            errors.print(sentence, markup=False)
    with bars(quiet=json) as report, _somebody_elses_errors():
        found = carried_out(config, ready, progress=lambda done, total: report("shadow models", done, total))
    # The record first: nothing of a page that cannot be drawn costs what was measured.
    written = [found.save(config.path(place)) for place in (config.output.record, config.output.report) if place]
    kept = limits(config, found)
    if json:
        print_json({"record": found.record.body, "policy": [limit.as_dict() for limit in kept]})
    else:
        _tell(found, kept, written, config)
    if any(limit.status == "exceeded" for limit in kept):
        raise typer.Exit(GATE_FAILED)
    if any(limit.status == "not resolvable" for limit in kept):
        raise typer.Exit(NOT_RESOLVABLE)


@contextmanager
def _somebody_elses_errors() -> Iterator[None]:
    """What the configuration's own code raises, in a sentence instead of a traceback."""
    from reticent.errors import ReticentError, UsageError

    try:
        yield
    except ReticentError:
        raise
    except Exception as error:
        trace = traceback.extract_tb(error.__traceback__)[-1]
        raise UsageError(
            f"Expected the configuration's own code to work, but {Path(trace.filename).name}, line {trace.lineno}, "
            f"raised {type(error).__name__}: {error}.",
            "Call the trainer, or the function that returns the model, by itself.",
        ) from error


def _tell(found: Audit, kept: tuple[Limit, ...], written: list[Path], config: AuditConfig) -> None:
    from reticent.cli._output import output
    from reticent.reports import sentences_of
    from reticent.reports.parts import further, not_run, who

    for sentence in (*sentences_of(found.record), further(found.record.body), who(found.record.body)):
        if sentence:
            output.print(sentence + "\n", markup=False, soft_wrap=False)
    output.print("Not run:")
    for line in not_run(found.record.body):
        output.print(f"  {line}", markup=False)
    output.print()
    if kept:
        output.print(_policy(kept))
    if config.attack.seed is not None:
        output.print("Seeded run: whoever knows the seed knows the draws.", markup=False)
    for path in written:
        output.print(f"Written: {path}", markup=False)


def _policy(kept: tuple[Limit, ...]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("policy", "at most", "measured, at least", ""):
        table.add_column(heading, overflow="fold")
    for limit in kept:
        status = {"kept": "not exceeded", "exceeded": "EXCEEDED"}.get(limit.status, "NOT RESOLVABLE")
        table.add_row(limit.name, limit.text(limit.most), limit.measured, status)
    return table


def _selftest(source: Randomness, *, quick: bool, json: bool) -> SelfTest:
    from reticent.audits.selftest import selftest
    from reticent.cli._output import bars, print_json

    with bars(quiet=json) as report:
        found = selftest(randomness=source, quick=quick, progress=report)
    if json:
        print_json(found.as_dict())
    else:
        _show(found)
    return found


def _show(found: SelfTest) -> None:
    from rich.table import Table

    from reticent.cli._output import output

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("item", "", "seen", "s"):
        table.add_column(heading, overflow="fold")
    for one in found.outcomes:
        table.add_row(one.name, "passed" if one.passed else "FAILED", one.seen, f"{one.seconds:.1f}")
    output.print(table)
    for one in found.failed:
        output.print(f"\nFAILED {one.name}: expected {one.expected}. {one.meaning}", markup=False)
    passed = len(found.outcomes) - len(found.failed)
    output.print(f"\n{passed} of {len(found.outcomes)} items passed.")
