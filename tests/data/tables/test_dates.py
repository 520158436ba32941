"""Dates as people write them, beside Python's own reading of each text by its format."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.tables.dates import Settled, check_format, dates_in
from reticent.errors import UsageError

SURE = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d %Y", "%d.%m.%Y")
TIMES = ("", " %H:%M", "T%H:%M:%S", " %I:%M %p", " %H:%M:%S.%f")
DAYS = st.datetimes(datetime.datetime(1850, 1, 1), datetime.datetime(2100, 12, 31))


def days(texts: list[str], **how: object) -> list[str]:
    return dates_in(texts, **how).moments.astype("datetime64[D]").astype(str).tolist()  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.tuples(DAYS, st.sampled_from(SURE), st.sampled_from(TIMES)), min_size=1, max_size=20))
def test_every_sure_way_is_read_as_python_reads_it(wanted: list[tuple[datetime.datetime, str, str]]) -> None:
    texts = [moment.strftime(way + time) for moment, way, time in wanted]
    right = [datetime.datetime.strptime(text, way + time) for text, (_, way, time) in zip(texts, wanted, strict=True)]
    found = dates_in(texts)
    assert found.moments.tolist() == right
    assert found.either == 0


@settings(deadline=None)
@given(
    st.lists(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)), min_size=1, max_size=30),
    st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"]),
)
def test_an_order_of_day_and_month_is_never_read_wrongly(wanted: list[datetime.date], way: str) -> None:
    texts = list(dict.fromkeys(one.strftime(way) for one in wanted))
    found = dates_in(texts)
    for text, moment in zip(texts, found.moments.tolist(), strict=True):
        assert moment is None or moment == datetime.datetime.strptime(text, way)
    open_ones = sum(moment is None for moment in found.moments.tolist())
    assert open_ones == found.either
    told = any(datetime.datetime.strptime(text, way).day > 12 for text in texts)
    assert not (told and found.either) or found.either > 20


def test_cells_of_one_separator_decide_for_that_one_alone() -> None:
    assert days(["13/04/2023", "04/05/2023", "05-06-2023"]) == ["2023-04-13", "2023-05-04", "NaT"]
    assert days(["04/13/2023", "04/05/2023"]) == ["2023-04-13", "2023-04-05"]
    both = dates_in(["04/13/2023", "13/04/2023", "04/05/2023", "06/06/2023"])
    assert both.moments.astype("datetime64[D]").astype(str).tolist() == ["2023-04-13"] * 2 + ["NaT", "2023-06-06"]
    assert (both.either, both.settled) == (1, ())
    assert dates_in(["13/04/2023", "04/05/2023"], np.array([3, 60])).settled == (Settled("%d/%m/%Y", 60, 3),)
    assert dates_in(["13/04/2023", "04/05/2023"], np.array([1, 60])).either == 60  # one in sixty may be a slip
    assert days(["04.05.2023"]) == ["2023-05-04"]
    assert days(["04.05.2023", "04.13.2023"]) == ["2023-04-05", "2023-04-13"]


def test_what_is_no_date_is_none() -> None:
    texts = ["2023-02-30", "31.04.2020", "2023-13-01", "1 Foo 2020", "2020-01-01 25:00", "13:00 PM", "", "1.2.3", "x"]
    assert np.isnat(dates_in([*texts, "2020-01-01 13:00 PM", "May 2020"]).moments).all()
    assert dates_in(["31.12.99", "2020-02-30", "v1.2.30", "12345"]).looks.tolist() == [True, True, False, False]


def test_formats_that_are_said_settle_it_cell_by_cell() -> None:
    assert days(["04/05/2023"], formats=["%m/%d/%Y"]) == ["2023-04-05"]
    assert days(["04/05/2023", "13/05/2023", "1.2.2020", "2020-03-04"], formats=["%m/%d/%Y"]) == [
        "2023-04-05", "NaT", "2020-02-01", "2020-03-04",
    ]  # fmt: skip
    assert days(["31.12.68", "31.12.69", "20200131"], formats=["%d.%m.%y", "%Y%m%d"]) == [
        "2068-12-31", "1969-12-31", "2020-01-31",
    ]  # fmt: skip
    zoned = dates_in(["2020-01-01T00:30:00+02:00", "2020-01-01T00:30:00Z", "2020-01-01T00:30:00.25-0130"])
    assert zoned.moments.astype(str).tolist() == [
        "2019-12-31T22:30:00.000000", "2020-01-01T00:30:00.000000", "2020-01-01T02:00:00.250000",
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", ["%d.%m", "dd.mm.yyyy", "%d.%m.%Y %d", "%q", "%m %b %d %Y", "%"])
def test_formats_that_say_no_day_are_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="format"):
        check_format(wrong)
