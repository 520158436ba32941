"""Linkages whose truth is known; FEBRL 4 as a bar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reticent.attacks.reidentification.linkage import Linkage, People, link
from reticent.data.catalogue import entry
from reticent.data.fetch import fetched
from reticent.data.tables import Column, Table, read
from reticent.errors import DataError, DataWarning, FetchError, UsageError
from reticent.evidence import Record, Status
from reticent.randomness import Randomness
from reticent.reports import sentences_of


def crowd(rows: int, seed: int = 0) -> Table:
    generator = np.random.default_rng(seed)
    return Table.of(
        {
            "zip": [f"{value:05d}" for value in generator.integers(10_000, 10_300, rows)],
            "year": generator.integers(1930, 2005, rows),
            "street": [f"street {value}" for value in generator.integers(0, 120, rows)],
            "flat": generator.integers(1, 60, rows),
        }
    )


def linked(absent: int = 0, **settings: object) -> Linkage:
    """300 released rows; the register lacks the first ones, and has 200 others."""
    register = crowd(500)
    release = register.take(np.arange(300))
    known = register.take(np.arange(absent, 500))
    return link(
        release, known, Randomness.simulated(1), truth=People(np.arange(300), np.arange(absent, 500)), **settings
    )  # type: ignore[arg-type]


@pytest.mark.slow
def test_everybody_who_is_there_is_found_and_nobody_else() -> None:
    found = linked(absent=100)
    values = {name: one.value for name, one in found.finding.estimates.items()}
    assert values["precision"] > 0.97
    assert values["recall"] > 0.97
    assert values["people re-identified"] == pytest.approx(2 / 3, abs=0.02)
    assert found.finding.details["share of release rows in the register"] == pytest.approx(2 / 3, abs=0.03)
    assert (np.diff(found.probability) <= 0).all()
    assert len(set(found.register)) == len(found.register) == len(set(found.release))
    assert found.links()[0].probability == found.probability[0]


@pytest.mark.slow
def test_a_register_of_others_gives_nobody() -> None:
    release, register = crowd(300, seed=1), crowd(400, seed=2)
    people = People(np.arange(300), np.arange(1000, 1400))
    found = link(release, register, Randomness.simulated(1), truth=people)
    assert found.finding.details["share of release rows in the register"] < 0.05
    assert len(found.release) < 15
    assert found.finding.estimates["people re-identified"].value == 0


def families(people: np.ndarray, generator: np.random.Generator) -> Table:
    """Three of a family share surname, street, town and postcode; every tenth cell is missing."""
    home = people // 3
    columns = {
        "first": [f"first{one % 97 * 7919 % 101:03d}x" for one in people],
        "surname": [f"{one * 7907 % 397:03d}son" for one in home],
        "street": [f"{one * 104729 % 211:03d} street" for one in home],
        "town": [f"town {one * 104729 % 211 % 23}" for one in home],
        "zip": [f"{10_000 + one * 104729 % 211 % 67}" for one in home],
        "born": [str(np.datetime64("1940-01-01") + int(one) * 7919 % 20_000) for one in people],
    }
    lost = {name: generator.random(len(people)) < 0.1 for name in columns}
    return Table.of(
        {
            name: [None if off else one for one, off in zip(values, lost[name], strict=True)]
            for name, values in columns.items()
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0, 150])
def test_relatives_are_not_taken_for_the_people_themselves(shared: int) -> None:
    """500 rows each; families are split between the tables, and only `shared` people are in both."""
    generator = np.random.default_rng(5)
    everybody = generator.permutation(1500)
    left = everybody[:500]
    right = generator.permutation(np.concatenate([left[:shared], everybody[500 : 1000 - shared]]))
    found = link(
        families(left, generator), families(right, generator), Randomness.simulated(0), truth=People(left, right)
    )
    details, expected = found.finding.details, found.finding.details["expected"]
    assert details["enough evidence"] == (shared > 0)
    assert details["share of release rows in the register"] == pytest.approx(shared / 500, abs=0.06)
    if not shared:
        assert len(found.release) == 0
        return
    assert found.finding.estimates["f1"].value > 0.7
    named = [found.finding.estimates[f"people re-identified{all_}"] for all_ in ("", ", everybody linked")]
    assert named[1].value > named[0].value - 0.02  # who links everybody knows of one-to-one, too
    precision = found.finding.estimates["precision"]
    assert precision.high > expected["precision, low"]
    assert precision.low < expected["precision, high"]
    assert found.reliability is not None
    for row in found.reliability:
        if row["n"] >= 20:
            assert row["low"] - 0.12 < row["expected"] < row["high"] + 0.12


@pytest.mark.slow
def test_the_order_of_rows_gives_nobody_away() -> None:
    """Release and register in one order, and nothing that tells people apart: 400 guesses, one right on average."""
    table = Table.of({"sex": ["m", "f"] * 200, "town": ["ely", "ely", "bath", "bath"] * 100})
    rows = np.arange(400)
    for one_to_one in (True, False):
        found = link(
            table, table, Randomness.simulated(2), truth=People(rows, rows), one_to_one=one_to_one, present=0.99
        )
        assert len(found.release) > 200
        assert found.finding.estimates["people re-identified, everybody linked"].value < 25 / 400
        # 4 classes of 100: about one hundredth is right by chance; 25 of 400 has probability below 1e-10
        assert (found.release == found.register).sum() < 25


@pytest.mark.slow
def test_truth_judges_and_never_links() -> None:
    register = crowd(300)
    release = register.take(np.arange(200))
    rows = np.arange(300)
    right = link(release, register, Randomness.simulated(3), truth=People(rows[:200], rows))
    wrong = link(release, register, Randomness.simulated(3), truth=People(rows[:200], rows[::-1]))
    none = link(release, register, Randomness.simulated(3))
    for other in (wrong, none):
        assert (right.release == other.release).all()
        assert (right.register == other.register).all()
        assert (right.probability == other.probability).all()
    assert wrong.finding.estimates["precision"].value < 0.05
    assert none.finding.status is Status.INCONCLUSIVE
    assert none.reliability is None
    assert "re-identified" not in " ".join(none.finding.baseline)


@pytest.mark.slow
def test_a_threshold_a_known_share_and_several_rows() -> None:
    strict, loose = linked(100, threshold=1.0), linked(100, threshold=0.0)
    assert len(strict.release) < len(loose.release)
    assert strict.finding.details["threshold from"] == "the caller"
    assert linked(100, present=0.9).finding.details["that share is"] == "given"
    twice = crowd(100)
    double = twice.take(np.repeat(np.arange(50), 2))
    people = People(np.repeat(np.arange(50), 2), np.arange(100))
    found = link(double, twice, Randomness.simulated(0), truth=people, one_to_one=False)
    assert found.finding.estimates["recall"].value > 0.95
    assert found.finding.estimates["people re-identified"].n == 50


@pytest.mark.slow
def test_the_record_holds_no_cell_and_the_page_is_one_file(tmp_path: Path) -> None:
    found = linked(10)
    record = found.record()
    assert Record.from_json(record.to_json()) == record
    page = found.save(tmp_path / "found.html").read_text("utf-8")
    for text in (page, record.to_json().decode()):
        assert "street 7" not in text
    assert "<script" not in page
    assert "Are the probabilities right?" in page


def numbered() -> tuple[Table, Table]:
    """Both tables have the column that says who it is, and one that the other lacks."""
    register = crowd(300)
    names = Column.of("pid", [f"{one}" for one in range(300)])
    release = register.replaced([names, Column.of("weight", np.arange(300) % 50 + 0.5)]).take(np.arange(200))
    return release, register.replaced([names]).without(["flat"])


@pytest.mark.slow
def test_the_column_of_the_truth_is_not_compared() -> None:
    release, register = numbered()
    truth = People.of(release, register, "pid")
    found = link(release, register, Randomness.simulated(1), truth=truth)
    assert set(found.finding.details["fields"]) == {"zip", "year", "street"}
    assert found.finding.details["columns left out"] == ["pid"]
    bare = link(release.without(["pid"]), register.without(["pid"]), Randomness.simulated(1), truth=truth)
    assert (bare.release == found.release).all()
    assert (bare.probability == found.probability).all()


@pytest.mark.slow
def test_a_shared_identifier_is_said_loudly_and_can_be_left_out() -> None:
    release, register = numbered()
    with pytest.warns(DataWarning, match=r"'pid' looks like an identifier.*100.0 % .*needs no linkage.*leave it out"):
        found = link(release, register, Randomness.simulated(1))
    assert found.finding.details["shared identifiers"] == {"pid": 1.0}
    assert "“pid” looks like an identifier" in " ".join(sentences_of(found.record()))
    bare = link(release, register, Randomness.simulated(1), without=["pid"])
    assert bare.finding.details["shared identifiers"] == {}
    assert "pid" not in bare.finding.details["fields"]


@pytest.mark.slow
def test_a_pseudonym_leaves_a_way_to_judge() -> None:
    """Rows of the release bear pseudonyms, the register the numbers of persons; a list says which is whose."""
    release, register = numbered()
    key = np.random.default_rng(4).permutation(300)
    hidden = release.replaced([Column.of("pid", [f"p{key[one]:03d}" for one in range(200)])])
    pairs = {"pseudonym": [f"p{key[one]:03d}" for one in range(300)][:200], "person": list(range(200))}
    truth = People.of_pairs(hidden, register, pairs, keys=("pid", "pid"))
    plain = link(release, register, Randomness.simulated(1), truth=People.of(release, register, "pid"))
    found = link(hidden, register, Randomness.simulated(1), truth=truth)
    assert found.finding.estimates == plain.finding.estimates


@pytest.mark.slow
def test_frames_and_files_are_taken_as_they_are(tmp_path: Path) -> None:
    register = crowd(120)
    release = register.take(np.arange(80))
    wanted = link(release, register, Randomness.simulated(1))
    found = link(release.save(tmp_path / "a.parquet"), register.to_arrow().to_pandas(), Randomness.simulated(1))
    assert (found.release == wanted.release).all()
    assert (found.probability == wanted.probability).all()


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"threshold": 2.0}, UsageError, "threshold"),
        ({"present": 1.0}, UsageError, "present"),
        ({"columns": ["name"]}, UsageError, "column"),
        ({"kinds": {"zip": "colour"}}, UsageError, "kind"),
        ({"most": 10}, DataError, "at most 10"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        linked(**settings)  # type: ignore[arg-type]


def test_too_few_rows_and_truth_of_other_lengths_are_refused() -> None:
    table = crowd(5)
    with pytest.raises(DataError, match="two rows"):
        link(table.take(np.arange(1)), table, Randomness.simulated(0))
    with pytest.raises(DataError, match="truth"):
        link(table, table, Randomness.simulated(0), truth=People(np.arange(4), np.arange(5)))


@pytest.mark.fetched
@pytest.mark.slow
def test_febrl_is_linked_without_labels() -> None:
    try:
        folder = fetched(entry("febrl4"))
    except FetchError as error:
        pytest.skip(str(error))
    release, register = (read(folder / f"dataset4{letter}.csv") for letter in "ab")
    people = People.of(release, register, "rec_id", r"rec-(\d+)")
    columns = [name.strip() for name in release.names if name != "rec_id"]
    with pytest.warns(DataWarning, match="soc_sec_id"):
        found = link(release, register, Randomness.simulated(0), truth=people)
    assert list(found.finding.details["fields"]) == columns
    assert found.finding.estimates["f1"].low >= 0.98
    assert found.finding.details["expected"]["precision"] == pytest.approx(1, abs=0.01)
    half = np.arange(0, 5000, 2)
    few = [name for name in columns if name not in ("soc_sec_id", "date_of_birth")]
    part = People(people.release, people.register[half])
    hard = link(release, register.take(half), Randomness.simulated(0), truth=part, columns=few)
    assert hard.finding.estimates["f1"].low >= 0.98
    assert hard.finding.details["share of release rows in the register"] == pytest.approx(0.5, abs=0.01)
