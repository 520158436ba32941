"""What an HTTP client must be kept from: credentials in its log, and addresses and headers that it would choke on.

Promise: no text that is raised here holds any part of an address but its scheme, host, port and path, nor of a header.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from reticent.errors import UsageError

__all__ = ["Address", "checked_headers", "unheard"]

_LOOPBACK = ("localhost", "::1")
_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")  # section 5.5, without the obsolete bytes above ASCII


class Address(NamedTuple):
    """An address taken apart.

    Attributes:
        url: what to ask, without the user.
        place: scheme, host, port and path: what may be told.
        user: name and password, if there were any.
        encrypted: whether it is https.
        local: whether it is this machine.
    """

    url: str
    place: str
    user: tuple[str, str] | None
    encrypted: bool
    local: bool

    @classmethod
    def of(cls, url: Any) -> Address:
        """The parts of an address.

        Raises:
            UsageError: it is none.
        """
        found = _parts(url)
        if found is None:
            raise UsageError(
                "Expected an address that begins with https://, names a host and holds no control characters, got "
                "another.",
                "Pass the whole address.",
            )
        parts, host = found
        before, at, server = parts.netloc.rpartition("@")
        name, _, password = before.partition(":")
        return cls(
            parts._replace(netloc=server).geturl(),
            f"{parts.scheme}://{server}{parts.path}",
            (urllib.parse.unquote(name), urllib.parse.unquote(password)) if at else None,
            parts.scheme == "https",
            host in _LOOPBACK or host.startswith("127."),
        )


def _parts(url: Any) -> tuple[urllib.parse.SplitResult, str] | None:
    """The parts and the host; what is raised on the way holds the address, so it is dropped here."""
    if not isinstance(url, str) or _NO_TEXT.search(url):
        return None
    with contextlib.suppress(ValueError):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0):
            return parts, parts.hostname
    return None


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Headers that can be sent.

    Raises:
        UsageError: one that cannot.
    """
    given = dict(headers or {})
    bad = sum(not _fits(_HEADER_NAME, name) or not _fits(_HEADER_VALUE, value) for name, value in given.items())
    if bad:
        raise UsageError(
            f"Expected names and values of headers in printable ASCII, without spaces or line ends around them, got "
            f"another in {bad} of {len(given)}.",
            "Look for typographic quotes, and for the line end of a file that a token was read from.",
        )
    return given


def _fits(pattern: re.Pattern[str], text: Any) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


_quiet = contextvars.ContextVar("quiet", default=False)


def _passes(_: logging.LogRecord) -> bool:
    return not _quiet.get()


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Keeps the client's log from this thread's requests: it tells whole addresses, and headers of responses.

    The filter stays on the loggers afterwards, where it lets everything pass: another thread may still need it.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_passes)
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)
