"""A model behind an HTTP address.

Promise: no more queries are sent than the budget allows, and a budget that cannot be enough is refused before the
first one. Every record in every request that was sent is counted, those of requests that failed too (`queries`); a
record that was answered is not asked again, as long as there were not more than 200,000 of them. Certificates are
always verified, redirects are not followed, and records go unencrypted to this machine only (unless `insecure=True`).
Headers, the query and the user in the address never stand in a text: not in errors, not in `repr`, not in findings,
and not in the log of the HTTP client, which stays silent about these requests. Only finite numbers are kept as answers.

How: records are sent in batches as JSON. Answers 429, 500, 502, 503 and 504, and connections that fail, are tried again
after a wait that doubles from half a second, or as long as `Retry-After` says (RFC 9110, section 10.2.3). Anything else
stops with a sentence; what was answered until then is kept, so asking again goes on from there. A `Target` asks about
one record first: an endpoint that does not show what is needed costs one query, not all of them.

Example:
    >>> from reticent.models import Endpoint
    >>> endpoint = Endpoint("https://user:secret@example.org/predict?key=secret", headers={"Authorization": "secret"},
    ...                     budget=1000, rate=50)
    >>> endpoint
    Endpoint(https://example.org/predict: 0 of 1000 queries)
"""

from __future__ import annotations

import datetime
import email.utils
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import EndpointError, MissingExtra, UsageError
from reticent.models._http import Address, checked_headers, unheard
from reticent.models.asking import KINDS

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["RECORDS", "Endpoint"]

RECORDS = "$records"
"""Stands in a request's template for the list of records."""

_KEYS = {"probabilities": "probabilities", "logits": "logits", "labels": "labels", "label": "labels"}
_JSON = {"Content-Type": "application/json"}
_AGAIN = (429, 500, 502, 503, 504)
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 120.0  # seconds
_REMEMBERED = 200_000  # answers: some ten megabytes


class Endpoint:
    """A model that answers JSON with JSON.

    Args:
        url: where to send requests (POST).
        request: what to send: a JSON value in which the text "$records" stands for the list of records, or a function
            from an array of records to a JSON value.
        response: where the answers are: names separated by dots ("outputs.scores"; numbers count in lists), or a
            function from the JSON value to one answer per record. By default the name "probabilities", "logits",
            "labels" or "label", which also says what they are.
        answers: "logits", "probabilities" or "labels", if the response does not say it.
        headers: of every request; the place for credentials.
        rate: the most queries per second.
        budget: the most queries that may be sent in all.
        retries: how often a request is tried again.
        timeout: seconds without a sign of the server.
        batch: records in a request.
        tls: certificates to trust, such as `ssl.create_default_context(cafile=...)`; the usual ones by default.
        insecure: whether records may be sent unencrypted to another machine.

    Raises:
        UsageError: an address that is none, or not encrypted; headers that cannot be sent.
    """

    rows: int | None = None  # all records at once: a budget is checked against all that is asked

    def __init__(
        self,
        url: str,
        *,
        request: Any = None,
        response: str | Callable[[Any], Any] | None = None,
        answers: str | None = None,
        headers: Mapping[str, str] | None = None,
        rate: float | None = None,
        budget: int | None = None,
        retries: int = 4,
        timeout: float = 30.0,
        batch: int = 256,
        tls: ssl.SSLContext | None = None,
        insecure: bool = False,
    ) -> None:
        self._address = Address.of(url)
        self.place = self._address.place
        if not (self._address.encrypted or self._address.local or insecure):
            raise UsageError(
                f"Expected an encrypted address, got {self.place}: records would be sent for everyone to read.",
                "Use https://, or allow it with insecure=True.",
            )
        self._request = {"inputs": RECORDS} if request is None else request
        self._response = response
        self.answers = None if answers is None else _checks.one_of(KINDS, answers=answers)
        self._headers = checked_headers(headers)
        self.rate = None if rate is None else _checks.positive(rate=rate)
        self.budget = None if budget is None else _checks.at_least(0, budget=budget)
        self.retries = _checks.at_least(0, retries=retries)
        self.timeout = _checks.positive(timeout=timeout)
        self.batch = _checks.at_least(1, batch=batch)
        self._tls = tls
        self._known: dict[bytes, npt.NDArray[np.float64]] = {}
        self._shape: tuple[int, ...] | None = None  # of one answer
        self._free = 0.0  # when the next request may be sent
        self.queries = 0
        self.requests = 0

    def __repr__(self) -> str:
        budget = "" if self.budget is None else f" of {self.budget}"
        return f"Endpoint({self.place}: {self.queries}{budget} queries)"

    def __reduce__(self) -> tuple[Any, ...]:
        raise UsageError(
            "Expected an endpoint to stay in its process, got a copy of it: two would each spend the budget.",
            "Ask it in one process; it would answer no faster.",
        )

    def require_queries(self, count: int) -> None:
        """Raise `UsageError` if the budget does not hold so many more queries."""
        if self.budget is not None and self.queries + count > self.budget:
            raise UsageError(
                f"Expected a budget for {count} more queries, got {self.budget - self.queries} left of "
                f"budget={self.budget}.",
                f"Allow {self.queries + count} in all, and some more for requests that fail; or ask about fewer "
                "records.",
            )

    def ask(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """One answer for each record, in order.

        Raises:
            UsageError: the budget is too small; nothing was sent.
            EndpointError: no answer in spite of all retries, or one that cannot be read.
        """
        keys = _keys(features)
        missing = {key: place for place, key in enumerate(keys) if key not in self._known}
        self.require_queries(len(missing))
        found = {key: self._known[key] for key in keys if key in self._known}
        places = list(missing.values())
        if places:
            with self._client() as client:
                for start in range(0, len(places), self.batch):
                    part = places[start : start + self.batch]
                    said = self._answers(self._post(client, features[part]), len(part))
                    found.update(self._kept([keys[place] for place in part], said))
        return np.stack([found[key] for key in keys])

    def require_answers(self, features: npt.NDArray[Any]) -> None:
        """Raise `UsageError` if the budget does not hold the queries that asking about these records takes."""
        self.require_queries(len(set(_keys(features)) - self._known.keys()))

    def _kept(self, keys: list[bytes], said: npt.NDArray[np.float64]) -> dict[bytes, npt.NDArray[np.float64]]:
        """The answers by their keys, remembered; what is not finite is not, and refused."""
        shape = said.shape[1:] if self._shape is None else self._shape
        if said.shape[1:] != shape:
            raise self._error("answers of one shape", "several", "Let it answer with every class for every record.")
        finite = np.asarray(np.isfinite(said.reshape(len(said), -1)).all(axis=1))
        usable = {key: row for key, row, fine in zip(keys, said, finite, strict=True) if fine}
        if usable:
            self._shape = shape
        if len(self._known) < _REMEMBERED:
            self._known.update(usable)
        if not finite.all():
            raise self._error(
                "finite answers",
                f"NaN or infinity for {int((~finite).sum())} of {len(said)} records",
                "These were not kept: ask again when it works, and check the scale of the features.",
            )
        return usable

    def _client(self) -> httpx.Client:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtra("httpx", "http", "An HTTP endpoint") from error
        if self._tls is None and self._address.encrypted:
            self._tls = httpx.create_ssl_context()  # once: it reads all certificates
        problem = ""
        try:
            httpx.URL(self._address.url)
        except (httpx.InvalidURL, ValueError):
            problem = f"Expected an address that can be asked, got {self.place}."
        if problem:  # outside of the handler: what was raised there may hold the address
            raise UsageError(problem, "Check the host and the port.")
        return httpx.Client(
            headers=self._headers,
            auth=self._address.user,
            timeout=self.timeout,
            verify=True if self._tls is None else self._tls,
            follow_redirects=False,  # they would take headers and records to another place
            trust_env=not self._address.local,  # a proxy is no way to this machine
        )

    def _post(self, client: httpx.Client, records: npt.NDArray[Any]) -> Any:
        import httpx

        content = json.dumps(self._filled(records), allow_nan=False).encode()
        for attempt in range(self.retries + 1):
            self.require_queries(len(records))
            self._pace(len(records))
            self.queries += len(records)
            self.requests += 1
            wait = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT)
            try:
                with unheard():
                    response = client.post(self._address.url, content=content, headers=_JSON)
            except httpx.TransportError as error:
                problem = type(error).__name__  # its text may hold the address
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                problem = type(error).__name__  # such as DecodingError: it would come again
                break
            else:
                problem = f"status {response.status_code}"
                if response.is_success:
                    return self._read(response)
                if response.status_code not in _AGAIN:
                    break
                wait = self._asked_to_wait(response, wait)
            if attempt < self.retries:
                _sleep(wait)
        raise self._error(
            f"an answer to a request of {len(records)} records",
            f"{problem} after {attempt + 1} {'try' if attempt == 0 else 'tries'}",
            "What was answered is kept: ask again when it works.",
        )

    def _filled(self, records: npt.NDArray[Any]) -> Any:
        if callable(self._request):
            return self._request(records)
        return _put(self._request, records.tolist())

    def _pace(self, count: int) -> None:
        if self.rate is None:
            return
        now = _now()
        if now < self._free:
            _sleep(self._free - now)
        self._free = max(now, self._free) + count / self.rate

    def _asked_to_wait(self, response: httpx.Response, usual: float) -> float:
        """Seconds, by the response's Retry-After if it has one."""
        said = response.headers.get("Retry-After", "").strip()
        if not said:
            return usual
        try:
            wait = float(said)
        except ValueError:
            try:
                when = email.utils.parsedate_to_datetime(said)
            except ValueError:
                return usual
            when = when if when.tzinfo is not None else when.replace(tzinfo=datetime.UTC)
            wait = (when - datetime.datetime.now(datetime.UTC)).total_seconds()
        if not wait <= _LONGEST_WAIT:  # not a number is no answer either
            raise self._error(
                f"to wait {_LONGEST_WAIT:g} seconds at most",
                f"Retry-After: {wait:g}",
                "What was answered is kept: ask again later, or with a lower rate.",
            )
        return max(0.0, wait)

    def _read(self, response: httpx.Response) -> Any:
        try:
            value = response.json()
        except (ValueError, RecursionError):  # the latter of lists in lists in lists
            value = None
        if value is None:
            raise self._error("JSON", "something else", "Check the address.")
        if callable(self._response):
            return self._response(value)
        if self._response is None:
            for key, kind in _KEYS.items():
                if isinstance(value, dict) and key in value:
                    self.answers = self.answers or kind
                    return value[key]
            raise self._error(
                f"an object with {', '.join(_KEYS)}", type(value).__name__, "Say where they are with response=..."
            )
        for name in self._response.split("."):
            try:
                value = value[int(name)] if isinstance(value, list) else value[name]
            except (KeyError, IndexError, TypeError, ValueError):
                raise self._error(
                    f"answers at {self._response!r}", f"nothing at {name!r}", "Check response=..."
                ) from None
        return value

    def _answers(self, said: Any, count: int) -> npt.NDArray[np.float64]:
        try:
            array = np.asarray(said, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise self._error("numbers", "something else", "Turn them into numbers with response=...") from None
        if count == 1 and (array.ndim == 0 or (array.ndim == 1 and len(array) > 1)):
            array = array[None]  # the answer to a single record, without a list around it
        if array.ndim == 0 or len(array) != count:
            raise self._error(
                f"{count} answers to {count} records", f"shape {array.shape}", "Lower batch=..., or see response=..."
            )
        return array

    def _error(self, wanted: str, got: str, remedy: str) -> EndpointError:
        return EndpointError(f"Expected {wanted} from {self.place}, got {got}.", remedy)


def _keys(features: npt.NDArray[Any]) -> list[bytes]:
    """What stands for each record among the answers that are kept."""
    kind = f"{features.dtype.str}{features.shape[1:]}".encode()
    return [hashlib.blake2b(kind + row.tobytes(), digest_size=16).digest() for row in np.ascontiguousarray(features)]


def _put(template: Any, records: Any) -> Any:
    if isinstance(template, str) and template == RECORDS:
        return records
    if isinstance(template, dict):
        return {key: _put(value, records) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [_put(value, records) for value in template]
    return template


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


def _now() -> float:
    return time.monotonic()
