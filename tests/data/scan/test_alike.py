"""Many alike files, as one."""

from __future__ import annotations

from reticent.data.scan import scan
from reticent.data.scan.alike import alike


def test_sums_are_those_of_the_files(tmp_path) -> None:
    for place in range(7):
        rows = "".join(f"u{row}@example.org,{row}\n" for row in range(place))
        (tmp_path / f"part{place}.csv").write_text(f"contact,n\n{rows}x,9\n")
    (tmp_path / "other.csv").write_text("a\n1\n")
    found = scan(tmp_path)
    (group,) = found.alike
    assert (group["files"], group["rows"]) == (7, sum(range(7)) + 7)
    (one,) = (one for one in group["found"] if one["kind"] == "e-mail address")
    own = [each for each in found.found if each.kind == "e-mail address"]
    assert (one["cells"], one["files"]) == (sum(each.cells for each in own), len(own)) == (21, 6)
    assert one["most"][0] == {"source": "part6.csv", "cells": 6}
    assert str(found).count("e-mail address") == 1
    assert "in 6 of 7 files, most in part6.csv (6)" in str(found)
    assert alike(found.sources[:4], found.found) == []
