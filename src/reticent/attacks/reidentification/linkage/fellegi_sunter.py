"""Weights of evidence for pairs of rows, after Fellegi and Sunter, estimated without labels by Splink on DuckDB.

Promise: everything happens in this process and in memory: the database has no file, may not read or write one, loads no
extension and reaches no network, and is closed at the end. Samples are drawn under a seed, on one thread, so the same
seed gives the same weights. What pairs that are no matches do (u) is counted on randomly drawn pairs; what matches do
(m) is learned by expectation-maximisation on pairs that agree on something rare, in rounds, so that every field is free
in one of them. Fields that agree are weighed by how rare the value is.
Not covered: fields are taken to be independent of each other among matches and among others (as Fellegi and Sunter
do); where they are not (ZIP and town), weights are too sure; `strangers` sets that right. With fewer than three fields
nothing can be learned about m, and Splink's assumed values stand (95 % of matches agree exactly); `assumed` names the
fields. A round in which an m sinks to zero is left out; `trained_on` names those that stand.

Sources: Fellegi and Sunter (1969); Winkler (1988) for expectation-maximisation; Linacre et al. (2022), Splink.

Shapes: release, register (pairs,) int64 row numbers; log_factor (pairs,) natural logarithm of P(comparison given match)
/ P(comparison given no match). A pair that several rules make stands once.

Example:
    >>> from reticent.attacks.reidentification.linkage.fellegi_sunter import TOLERANCES
    >>> TOLERANCES
    (0.1, 0.5)
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent._numbers import shown
from reticent.attacks.reidentification.linkage.blocking import Rules, pairs_within, sessions
from reticent.attacks.reidentification.linkage.fields import Field
from reticent.attacks.reidentification.linkage.strangers import Strangers
from reticent.errors import DataError, MissingExtra
from reticent.randomness import Randomness

__all__ = ["TOLERANCES", "Candidates", "Level", "candidates"]

TOLERANCES: Final = (0.1, 0.5)
"""Numbers are near if they are no further apart than these parts of their standard deviation."""

_ITERATIONS: Final = 50
_SIDES: Final = ("a_release", "b_register")
_SETTINGS: Final[dict[str, Any]] = {
    "threads": 1,
    "temp_directory": "",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Level:
    """How one field of a pair can compare.

    Attributes:
        field: its name.
        says: what the level is.
        m: how often matches compare like that.
        u: how often others do.
    """

    field: str
    says: str
    m: float
    u: float


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of rows with the evidence that they are of one person, and pairs of strangers for comparison."""

    release: npt.NDArray[np.int64]
    register: npt.NDArray[np.int64]
    log_factor: npt.NDArray[np.float64]
    levels: tuple[Level, ...]
    trained_on: tuple[tuple[str, ...], ...]
    assumed: tuple[str, ...]
    strangers: tuple[Strangers, ...] = ()


def candidates(
    fields: Sequence[Field],
    rules: Rules,
    randomness: Randomness,
    *,
    sampled: int = 2_000_000,
    within: Sequence[int] = (),
    memory: str = "4GB",
    progress: Progress | None = None,
) -> Candidates:
    """Compare the pairs that the rules make.

    Args:
        fields: what both tables know.
        rules: which pairs are looked at.
        randomness: seeds Splink's samples.
        sampled: how many random pairs u is counted on.
        within: of which tables (0 the release, 1 the register) pairs of strangers are wanted; at most half as many
            pairs each as the rules make.
        memory: the most that the database may use.
        progress: called with a name, how much is done, and of how much.

    Raises:
        MissingExtra: Splink is not installed.
        DataError: the pairs do not fit into the memory.
    """
    try:
        import duckdb
        import splink  # noqa: F401
    except ImportError as error:
        raise MissingExtra("splink", "linkage", "Linking records") from error
    report = progress or (lambda *_: None)
    with _quiet(), _database(memory) as connection:
        try:
            return _compared(connection, fields, rules, randomness, sampled, within, report)
        except duckdb.OutOfMemoryException as error:
            raise DataError(
                f"Expected {sum(rules.pairs)} pairs to fit into {memory}, but they do not.",
                "Allow fewer pairs (most), or more memory.",
            ) from error


def _compared(
    connection: Any,
    fields: Sequence[Field],
    rules: Rules,
    randomness: Randomness,
    sampled: int,
    within: Sequence[int],
    report: Progress,
) -> Candidates:
    from splink import DuckDBAPI, Linker, SettingsCreator

    rows = len(fields[0].left_codes), len(fields[0].right_codes)
    database = DuckDBAPI(connection)
    tables = [database.register(_table(fields, side), table_name=name) for side, name in enumerate(_SIDES)]
    prior = min(rows) / (rows[0] * rows[1]) / 2
    names = {field.name: f"f{place}" for place, field in enumerate(fields)}
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[_comparison(field, names[field.name]) for field in fields],
        blocking_rules_to_generate_predictions=[_rule(rule, names) for rule in rules.rules],
        probability_two_random_records_match=prior,
        retain_matching_columns=False,
        max_iterations=_ITERATIONS,
        linker_uid="reticent",
    )
    seed = int(randomness.integers(2**31 - 1, 1)[0])
    free = sessions(fields, most=5_000_000)
    steps = len(free) + 2 + len(within)
    linker: Any = None
    refused = True
    while refused:  # at most as often as there are rounds
        report("linking", 0, steps)
        linker, refused = Linker(tables, settings, log_level=None), False
        linker.training.estimate_u_using_random_sampling(
            max_pairs=sampled, seed=seed, min_count_per_level=None, num_chunks=1
        )
        for place, rule in enumerate(free):
            report("linking", place + 1, steps)
            try:
                linker.training.estimate_parameters_using_expectation_maximisation(
                    _rule(rule, names), estimate_without_term_frequencies=True, max_pairs=sampled
                )
            except ValueError:  # Splink refuses an m that sinks to zero, and leaves its model unfinished
                free, refused = tuple(one for one in free if one != rule), True
                break
    report("linking", len(free) + 1, steps)
    predicted: Any = linker.inference.predict()
    found = predicted.as_pyarrow_table()
    predicted.drop_table_from_database_and_remove_from_cache()
    strangers = []
    for place, side in enumerate(within):
        report("linking", len(free) + 2 + place, steps)
        strangers.append(_strangers(database, linker, fields, side, rules, randomness.spawn(_SIDES[side]), prior))
    report("linking", steps, steps)
    return dataclasses.replace(_found(found, linker, fields, prior, free), strangers=tuple(strangers))


def _strangers(
    database: Any, linker: Any, fields: Sequence[Field], side: int, rules: Rules, randomness: Randomness, prior: float
) -> Strangers:
    """Some rows of one table against all others of it, by the same rules and weights."""
    from splink import Linker

    count = len(fields[0].left_codes if side == 0 else fields[0].right_codes)
    made = sum(pairs_within(fields, side, rule) for rule in rules.rules)
    wanted = count if made == 0 else max(1, min(count, int(count * (sum(rules.pairs) / 2) / made)))
    drawn = np.sort(randomness.permutation(count)[:wanted])
    whole = _table(fields, side)
    tables = [
        database.register(table, table_name=f"{_SIDES[side]}_{name}")
        for name, table in (("drawn", whole.take(drawn)), ("whole", whole))
    ]
    apart = Linker(tables, linker.misc.save_model_to_json(), log_level=None)
    for place, field in enumerate(fields):
        if not field.fits:  # how rare a value is, is asked of both tables
            rare = linker.table_management.compute_tf_table(f"f{place}")
            apart.table_management.register_term_frequency_lookup(rare, f"f{place}")
    predicted: Any = apart.inference.predict()
    found = predicted.as_pyarrow_table()
    predicted.drop_table_from_database_and_remove_from_cache()
    left, right = (found.column(name).to_numpy() for name in ("unique_id_l", "unique_id_r"))
    other = np.flatnonzero(left != right)
    row, factor = np.searchsorted(drawn, left[other]), _natural(found, prior)[other]
    order = np.lexsort((right[other], row))
    return Strangers(row[order].astype(np.int64), factor[order], wanted, count - 1)


def _natural(found: Any, prior: float) -> npt.NDArray[np.float64]:
    """Splink's weights without the prior, to the base e."""
    weight = found.column("match_weight").to_numpy().astype(np.float64)
    factor: npt.NDArray[np.float64] = (weight - np.log2(prior / (1 - prior))) * np.log(2)
    return factor


def _found(found: Any, linker: Any, fields: Sequence[Field], prior: float, free: Any) -> Candidates:
    left, right = (found.column(name).to_numpy() for name in ("unique_id_l", "unique_id_r"))
    order = np.lexsort((right, left))  # the database promises no order
    factor = _natural(found, prior)
    levels = tuple(
        Level(field.name, str(level.label_for_charts), float(level.m_probability), float(level.u_probability))
        for field, comparison in zip(fields, linker._settings_obj.comparisons, strict=True)
        for level in comparison.comparison_levels
        if not level.is_null_level
    )
    assumed = tuple(field.name for field in fields if all(field.name in rule for rule in free))
    return Candidates(left.astype(np.int64)[order], right.astype(np.int64)[order], factor[order], levels, free, assumed)


def _table(fields: Sequence[Field], side: int) -> Any:
    """One table as Splink wants it: plain column names, and numbers beside their texts."""
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for place, field in enumerate(fields):
        codes = (field.left_codes, field.right_codes)[side]
        columns[f"f{place}"] = pa.array((field.left, field.right)[side], pa.string()).take(pa.array(codes))
        if field.numbers is not None:
            numbers = np.asarray(field.numbers[side], np.float64)
            low, high = (numbers[:, 0], numbers[:, 1]) if numbers.ndim == 2 else (numbers, numbers)
            for name, values in ((f"f{place}_low", low), (f"f{place}_high", high)):
                columns[name] = pa.array(values[codes], from_pandas=True)
    rows = len(fields[0].left_codes if side == 0 else fields[0].right_codes)
    return pa.table({"unique_id": np.arange(rows), **columns})


def _rule(rule: Sequence[str], names: dict[str, str]) -> Any:
    from splink import block_on

    return block_on(*(names[name] for name in rule)) if rule else "1=1"


def _comparison(field: Field, name: str) -> Any:
    import splink.comparison_level_library as levels
    import splink.comparison_library as comparisons

    if field.fits:
        sql = f"starts_with({name}_l, {name}_r) or starts_with({name}_r, {name}_l)"
        if field.kind == "range":
            sql = f"{name}_low_l <= {name}_high_r and {name}_high_l >= {name}_low_r"
        near: list[Any] = [levels.CustomLevel(sql, "fits")]
    else:
        exact = levels.ExactMatchLevel(name, term_frequency_adjustments=True).configure(label_for_charts="equal")
        near = [exact, *(levels.CustomLevel(sql, says) for sql, says in _near(field, name))]
    rest = levels.ElseLevel().configure(label_for_charts="else")
    return comparisons.CustomComparison(
        output_column_name=name, comparison_levels=[levels.NullLevel(name), *near, rest]
    )


def _near(field: Field, name: str) -> list[tuple[str, str]]:
    """Levels below "equal", from near to far: condition and meaning."""
    edits, similar = (
        f"{function}({name}_l, {name}_r)" for function in ("damerau_levenshtein", "jaro_winkler_similarity")
    )
    if field.kind == "name":
        return [(f"{similar} >= {bar}", f"Jaro-Winkler at least {bar}") for bar in (0.92, 0.8)]
    if field.kind == "text":
        longest = f"greatest(length({name}_l), length({name}_r))"
        return [(f"{edits} <= {part} * {longest}", f"at most {part:.0%} of the letters differ") for part in (0.1, 0.3)]
    if field.kind == "code":
        return [(f"{edits} <= 1", "one edit"), (f"{edits} <= 2", "two edits")]
    apart = f"abs({name}_low_l - {name}_low_r)"
    if field.kind == "date":
        return [
            (f"{edits} <= 1", "one edit"),
            (f"{apart} <= 31", "at most 31 days apart"),
            (f"substr({name}_l, 1, 4) = substr({name}_r, 1, 4)", "same year"),
        ]
    if field.kind == "number":
        values = np.unique(np.concatenate(field.numbers or ()))
        values = values[~np.isnan(values)]
        least = np.diff(values).min(initial=np.inf)
        reach = [tolerance * float(values.std()) for tolerance in TOLERANCES]
        return [(f"{apart} <= {most!r}", f"at most {shown(most)} apart") for most in reach if most >= least]
    words = [text for text in (*field.left, *field.right) if text is not None]
    if field.kind == "category" and words and float(np.median([len(word) for word in words])) > 4:
        return [(f"{edits} <= 1", "one edit")]
    return []


@contextmanager
def _database(memory: str) -> Iterator[Any]:
    import duckdb

    connection = duckdb.connect(":memory:", config={**_SETTINGS, "memory_limit": memory})
    try:
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Splink says much while it works; what matters of it is returned."""
    logger = logging.getLogger("splink")
    before = logger.level, logger.propagate
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]
