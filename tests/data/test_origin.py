"""Where rows are found: the file for whole tables, a part of it for what was drawn."""

from __future__ import annotations

import numpy as np

from reticent.data import Records, load
from reticent.data.files import read_records
from reticent.data.origin import Origin


def test_a_table_and_what_was_drawn_from_it(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_text("id,age,patient,label\n7,61,a,0\n8,47,b,1\n9,50,b,1\n")
    records = read_records(path, owner="patient", identifier="id").records
    assert records.feature_names == ("age",)  # neither a person nor a number of a row is a feature
    assert records.origin.as_dict() == {
        "file": "visits.csv",
        "first": "row 0 is the first below the header, blank lines not counted",
        "owner": "patient",
        "identifier": "id",
        "drawn": False,
    }
    assert records.scaled().origin == records.origin
    part = records.take([0, 1])
    assert part.origin.text == "a part drawn from visits.csv"
    assert part.take([0]).origin == part.origin
    assert records.joined(records).origin is None  # two tables are none


def test_arrays_and_packaged_sets(tmp_path):
    np.savez(tmp_path / "x.npz", features=np.eye(2), labels=[0, 1], owners=[3, 4], ids=[5, 6])
    origin = read_records(tmp_path / "x.npz", identifier="ids").records.origin
    assert (origin.file, origin.owner, origin.identifier) == ("x.npz", "owners", "ids")
    assert load("wine").origin == Origin("the packaged set wine")
    assert Records(np.eye(2), [0, 1]).origin is None
