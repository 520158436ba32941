"""An endpoint over a real connection: what is sent, counted, paced, tried again, and never told."""

from __future__ import annotations

import datetime
import email.utils
import json
import ssl
import sys
import traceback

import numpy as np
import pytest
from tests.models.serving import serving

from reticent.errors import EndpointError, MissingExtra, ModelError, UsageError
from reticent.models import Endpoint, Target, endpoint

X = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
WEIGHTS = np.random.default_rng(2).normal(size=(3, 4))
LOGITS = X.astype(np.float64) @ WEIGHTS


def shares(logits):
    """Softmax."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def logits(body):
    return {"logits": (np.array(body["inputs"]) @ WEIGHTS).tolist()}


@pytest.fixture
def slept(monkeypatch):
    """The waits, which are not waited for."""
    clock, waits = [0.0], []

    def sleep(seconds):
        waits.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(endpoint, "_sleep", sleep)
    monkeypatch.setattr(endpoint, "_now", lambda: clock[0])
    return waits


def test_answers_are_those_of_the_model():
    with serving(logits) as served:
        found = Target(Endpoint(served.url, batch=7), classes=4).log_probabilities(X)
    np.testing.assert_allclose(found, np.log(shares(LOGITS)), atol=1e-9)
    assert [len(body["inputs"]) for body in served.bodies] == [1, 7, 7, 5]  # one first
    np.testing.assert_array_equal(np.concatenate([body["inputs"] for body in served.bodies]), X.astype(np.float64))


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({}, lambda body: {"probabilities": shares(np.array(body["inputs"]) @ WEIGHTS).round(2).tolist()}),
        (
            {"request": {"rows": ["$records", "$other"], "n": 3}, "response": "outputs.1.scores", "answers": "logits"},
            lambda body: {"outputs": [0, {"scores": (np.array(body["rows"][0]) @ WEIGHTS).tolist()}]},
        ),
        (
            {"request": lambda rows: {"csv": json.dumps(rows.tolist())}, "response": lambda value: value["a"]},
            lambda body: {"a": (np.array(json.loads(body["csv"])) @ WEIGHTS).tolist()},
        ),
    ],
)
def test_requests_and_responses_of_several_shapes(options, answer):
    with serving(answer) as served:
        found = Target(Endpoint(served.url, **options), classes=4).log_probabilities(X)
    np.testing.assert_allclose(np.exp(found), shares(LOGITS), atol=0.006)


def test_labels_are_all_that_an_attacker_sees():
    with serving(lambda body: {"label": (np.array(body["inputs"]) @ WEIGHTS).argmax(axis=1).tolist()}) as served:
        there = Endpoint(served.url)
        with pytest.raises(ModelError, match="shows labels only"):
            Target(there, classes=4).log_probabilities(X)
        target = Target(there, classes=4, exposure="label")
        labels = LOGITS.argmax(axis=1)
        np.testing.assert_array_equal(target.predicted(X), labels)
        np.testing.assert_array_equal(target.signals(X, labels).odds, np.ones((1, 20)))
        assert target.queries == 20  # the first answers were kept
        with pytest.raises(ModelError, match="labels only"):
            Target(there, classes=4, exposure="scores")


def test_nothing_is_asked_twice():
    with serving(logits) as served:
        there = Endpoint(served.url, batch=8)
        first = there.ask(np.concatenate([X, X[:5]]))
        np.testing.assert_array_equal(first[20:], first[:5])
        assert there.queries == sum(len(body["inputs"]) for body in served.bodies) == 20
        np.testing.assert_array_equal(there.ask(X[::-1]), first[:20][::-1])
        assert (there.queries, there.requests) == (20, 3)


def test_a_budget_that_is_too_small_sends_nothing():
    with serving(logits) as served:
        there = Endpoint(served.url, budget=19)
        with pytest.raises(UsageError, match=r"20 more queries, got 19 left of budget=19\. Allow 20 in all"):
            there.ask(X)
        assert (there.queries, served.bodies) == (0, [])
        there.ask(X[:15])
        with pytest.raises(UsageError, match="5 more queries, got 4 left"):  # only what is new counts
            there.ask(X)
        there.budget = 20
        assert len(there.ask(X)) == 20


@pytest.mark.parametrize("troubles", [[503, 503, 503], ["drop"] * 3])
def test_a_budget_holds_for_retries_too(troubles, slept):
    with serving(logits, troubles) as served:
        there = Endpoint(served.url, budget=50)
        with pytest.raises(UsageError, match="20 more queries, got 10 left"):
            there.ask(X)
    assert there.queries == sum(len(body["inputs"]) for body in served.bodies) == 40


def test_busy_servers_and_dropped_connections_are_asked_again(slept):
    troubles = ["drop", (429, {"Retry-After": "7"}), 200, 500, "drop", 502, 503]
    with serving(logits, troubles) as served:
        there = Endpoint(served.url, batch=10)
        np.testing.assert_allclose(there.ask(X), LOGITS, atol=1e-9)
    assert slept == [0.5, 7.0, 0.5, 1.0, 2.0, 4.0]
    assert (there.queries, there.requests) == (80, 8)


def test_dates_to_wait_for(slept):
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)
    troubles = [(429, {"Retry-After": email.utils.format_datetime(soon, usegmt=True)}), (503, {"Retry-After": "?"})]
    with serving(logits, troubles) as served:
        Endpoint(served.url).ask(X)
    assert slept[0] == pytest.approx(29, abs=2)
    assert slept[1] == 1.0


@pytest.mark.parametrize("said", ["3600", "nan", "inf"])
def test_nobody_waits_for_hours(said, slept):
    with (
        serving(logits, [(429, {"Retry-After": said})]) as served,
        pytest.raises(EndpointError, match="wait 120 seconds at most"),
    ):
        Endpoint(served.url).ask(X)
    assert slept == []


def test_what_was_answered_before_a_failure_is_kept(slept):
    with serving(logits, [200, *[503] * 3]) as served:
        there = Endpoint(served.url, batch=10, retries=2)
        with pytest.raises(
            EndpointError, match=r"10 records from http://127\.0\.0\.1:\d+/predict, got status 503 after 3 tr"
        ):
            there.ask(X)
        assert slept == [0.5, 1.0]
        there.ask(X)
        assert there.queries == 10 + 3 * 10 + 10


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_other_refusals_are_final(status, slept):
    with serving(logits, [(status, {"Location": "/elsewhere"})] * 9) as served:
        there = Endpoint(served.url)
        with pytest.raises(EndpointError, match=f"status {status} after 1 try"):
            there.ask(X)
    assert (there.requests, slept) == (1, [])


def test_the_pace(slept):
    with serving(logits) as served:
        Endpoint(served.url, batch=5, rate=10).ask(X)
    assert slept == pytest.approx([0.5] * 3)


@pytest.mark.parametrize(
    ("troubles", "options", "message"),
    [
        ([b"no JSON"], {}, "Expected JSON"),
        ([b'{"scores": [1]}'], {}, "object with probabilities"),
        ([b"[1, 2]"], {}, "object with probabilities"),
        ([b'{"a": {}}'], {"response": "a.b"}, r"answers at 'a\.b'"),
        ([b'{"a": [1]}'], {"response": "a.1"}, r"answers at 'a\.1'"),
        ([b'{"logits": [[1, 2]]}'], {}, "20 answers to 20 records"),
        ([b'{"logits": [[1, 2], [3]]}'], {}, "Expected numbers"),
        ([b'{"logits": "many"}'], {}, "Expected numbers"),
    ],
)
def test_answers_that_cannot_be_read(troubles, options, message):
    with serving(logits, troubles) as served, pytest.raises(EndpointError, match=message):
        Endpoint(served.url, **options).ask(X)


def test_answers_of_several_shapes():
    with (
        serving(lambda body: {"logits": [[0.0] * (2 + (row[0] > 0)) for row in body["inputs"]]}) as served,
        pytest.raises(EndpointError, match="one shape"),
    ):
        Endpoint(served.url, batch=1).ask(X)


@pytest.mark.parametrize("bad", ["null", "NaN", "Infinity", "1e999"])
def test_what_is_not_finite_is_refused_and_asked_again(bad):
    with serving(logits, [f'{{"logits": [[{bad}, 1, 1, 1], [1, 2, 3, 4]]}}'.encode()]) as served:
        there = Endpoint(served.url)
        with pytest.raises(EndpointError, match="NaN or infinity for 1 of 2"):
            there.ask(X[:2])
        found = there.ask(X[:2])
    np.testing.assert_allclose(found, [LOGITS[0], [1, 2, 3, 4]])
    assert there.queries == 3  # the other answer was kept


def test_an_answer_of_another_shape_is_not_kept():
    with serving(logits, [200, b'{"logits": [[1, 2], [1, 2]]}']) as served:
        there = Endpoint(served.url, batch=2)
        with pytest.raises(EndpointError, match="one shape"):
            there.ask(X[:4])
        np.testing.assert_allclose(there.ask(X[:4]), LOGITS[:4])


@pytest.mark.parametrize("options", [{}, {"response": "label"}])
def test_labels_where_more_was_wanted_cost_one_query(options):
    with serving(lambda body: {"label": [3] * len(body["inputs"])}) as served:
        there = Endpoint(served.url, budget=len(X), **options)
        with pytest.raises(ModelError, match=r"labels only|4 or more"):
            Target(there, classes=4).log_probabilities(X)
        assert there.queries == 1
        target = Target(Endpoint(served.url, budget=len(X) - 1), classes=4, exposure="label")
        with pytest.raises(UsageError, match="20 more queries, got 19 left"):  # still before the first one
            target.predicted(X)
    assert len(served.bodies) == 1


def test_the_log_tells_nothing(caplog, slept):
    import httpx

    with caplog.at_level("DEBUG"), serving(logits, [(503, {"Set-Cookie": "hidden"})]) as served:
        address = served.url.replace("http://", "http://us%65r:hid%64en@") + "?key=hidden"
        Endpoint(address, headers={"X-Token": "hidden"}).ask(X)
        assert served.headers[0]["Authorization"] == "Basic dXNlcjpoaWRkZW4="
        assert not [one for one in caplog.records if one.name.startswith("http") and "hidden" in one.getMessage()]
        with httpx.Client(trust_env=False) as other:  # the requests of others are logged as ever
            other.post(served.url, json={"inputs": [[0, 0, 0]]})
    assert [one for one in caplog.records if one.name == "httpx"]


def test_the_log_of_other_threads_goes_on(caplog):
    import threading

    import httpx

    def answer(body):
        if len(body["inputs"]) > 1:  # while the endpoint waits, somebody else asks
            thread = threading.Thread(target=lambda: httpx.post(served.url, json={"inputs": [[0, 0, 0]]}))
            thread.start()
            thread.join()
        return logits(body)

    with caplog.at_level("INFO"), serving(answer) as served:
        Endpoint(served.url + "?key=hidden").ask(X)
    assert len([one for one in caplog.records if one.name == "httpx"]) == 1
    assert "hidden" not in caplog.text


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ((200, {"Content-Encoding": "gzip"}), "DecodingError after 1 try"),
        (b'{"logits": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "Expected JSON"),
        (b'{"logits": [1' + b"0" * 400 + b"]}", "Expected numbers"),
    ],
)
def test_broken_answers_end_in_a_sentence(trouble, message, slept):
    with serving(logits, [trouble]) as served:
        there = Endpoint(served.url + "?key=hidden", headers={"X-Token": "hidden"})
        with pytest.raises(EndpointError, match=message) as caught:
            there.ask(X[:1])
        assert "hidden" not in "".join(traceback.format_exception(caught.value))
        np.testing.assert_allclose(there.ask(X[:1]), LOGITS[:1])  # and nothing of it was kept


@pytest.mark.parametrize(
    "headers",
    [
        {"A": "hidden\u2019"},
        {"A": "hidden\n"},
        {"A\u2019": "hidden"},
        {"A": None},
        {"A B": "hidden"},
        {"A": "\xe9hidden"},
    ],
)
def test_headers_that_cannot_be_sent(headers):
    with pytest.raises(UsageError, match="another in 1 of 1") as caught:
        Endpoint("https://example.org/x", headers=headers)
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        "https://u:hidden@example.org/\0",
        "https://u:hidden@example.org/\n",
        "https://u:hidden@example.org:99999/",
        "https://u:hidden@[example.org/",
        "https://u:hidden@exa\u2100mple.org/",
        "https://u:hidden@example.org/\ud800",
        "https://u:hidden@" + "a" * 300 + "\u00fc.org/?hidden",
        "https://example.org/?hidden" + "a" * 70_000,
    ],
)
def test_addresses_that_cannot_be_asked(url):
    with pytest.raises(UsageError, match="Expected an address") as caught:
        Endpoint(url, retries=0).ask(X)
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


def test_credentials_are_sent_and_never_told(slept):
    with serving(logits, [500, 401]) as served:
        address = served.url.replace("http://", "http://user:hidden@") + "?key=hidden"
        there = Endpoint(address, headers={"Authorization": "Bearer hidden"})
        with pytest.raises(EndpointError) as caught:
            there.ask(X)
    assert served.headers[0]["Authorization"] in ("Bearer hidden", "Basic dXNlcjpoaWRkZW4=")
    said = [repr(there), str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    with pytest.raises(EndpointError) as caught:  # nobody listens any more
        there.ask(X)
    said += [str(caught.value), *traceback.format_exception(caught.value)]
    assert not [text for text in said if "hidden" in text]


@pytest.mark.parametrize("url", ["", "example.org", "ftp://example.org/x", "https://", None, 3])
def test_what_is_no_address(url):
    with pytest.raises(UsageError, match="begins with https://"):
        Endpoint(url)


def test_records_are_not_sent_for_everyone_to_read():
    with pytest.raises(UsageError, match=r"Expected an encrypted address, got http://example\.org/x:"):
        Endpoint("http://example.org/x?key=hidden")
    assert "example.org" in repr(Endpoint("http://example.org/x", insecure=True))


def test_certificates_are_verified(monkeypatch):
    import httpx

    contexts = []
    monkeypatch.setattr(httpx, "Client", lambda **options: contexts.append(options["verify"]))
    own = ssl.create_default_context()
    for there in (Endpoint("https://example.org/x"), Endpoint("https://example.org/x", tls=own)):
        there._client()
        there._client()
    assert contexts[0] is contexts[1]
    assert contexts[2] is contexts[3] is own
    assert contexts[0].verify_mode == ssl.CERT_REQUIRED
    assert contexts[0].check_hostname


def test_an_endpoint_is_not_copied():
    import copy

    with pytest.raises(UsageError, match="spend the budget"):
        copy.deepcopy(Endpoint("https://example.org/x", budget=3))


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtra, match=r"reticent\[http\]"):
        Endpoint("http://localhost/x").ask(X)


def test_a_silent_server():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        there = Endpoint(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout=0.2, retries=0)
        with pytest.raises(EndpointError, match="ReadTimeout after 1 try"):
            there.ask(X)


def test_single_records_without_a_list_around_their_answer():
    with serving(lambda body: {"p": (np.array(body["row"]) @ WEIGHTS).tolist()}) as served:
        there = Endpoint(served.url, request=lambda rows: {"row": rows[0].tolist()}, response="p", batch=1)
        np.testing.assert_allclose(there.ask(X[:3]), LOGITS[:3], atol=1e-9)


def test_the_same_bytes_are_not_the_same_record():
    with serving(lambda body: {"logits": [[float(np.sum(row)), 0.0] for row in body["inputs"]]}) as served:
        there = Endpoint(served.url)
        whole = np.arange(6, dtype=np.int64).reshape(2, 3)
        first, second = there.ask(whole), there.ask(whole.view(np.float64))
    assert first[:, 0].tolist() == [3.0, 12.0]
    assert second[:, 0].max() < 1e-300
