"""Readers of the file formats that the data sets come in: IDX, PGM, and comma-separated tables, plain, gzip or zip.

Promise: numbers only. Nothing is unpickled or imported from a package, and a file that is not what it should be raises
`DataError` naming it.

Shapes: IDX gives the array as stored; PGM (height, width) uint8; a table (rows, columns) float32 with its column names.
"""

from __future__ import annotations

import gzip
import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.errors import DataError

__all__ = ["read_grid", "read_idx", "read_pgm", "read_table"]

_IDX_TYPES: Final = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PGM_HEADER_LINES: Final = 3
_BROKEN: Final = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile)


def read_idx(path: Path) -> npt.NDArray[Any]:
    """An array in the IDX format of MNIST (`*-ubyte`), gzip or not."""
    with _naming(path, "an IDX file"):
        raw = _unpacked(path)
        if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _IDX_TYPES:
            raise ValueError("its first four bytes are not those of IDX")
        start = 4 + 4 * raw[3]
        shape = tuple(int(size) for size in np.frombuffer(raw[4:start], dtype=">u4"))
        kind = np.dtype(_IDX_TYPES[raw[2]])
        if len(shape) != raw[3] or len(raw) - start != math.prod(shape) * kind.itemsize:
            raise ValueError(f"its length does not fit its shape {shape}")
        return np.frombuffer(raw, dtype=kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))


def read_pgm(path: Path) -> npt.NDArray[np.uint8]:
    """A grey picture in the binary PGM format, mended if line ends were once converted in it.

    Some files of the ORL faces went through a conversion that put a carriage return before every byte 10, among the
    pixels too, which shifts the rest of the picture. Their header shows it.
    """
    with _naming(path, "a binary PGM picture"):
        raw = path.read_bytes()
        converted = raw.startswith(b"P5\r\n")
        parts = (raw.replace(b"\r\n", b"\n") if converted else raw).split(b"\n", _PGM_HEADER_LINES)
        if len(parts) != _PGM_HEADER_LINES + 1 or parts[0] != b"P5" or parts[2] != b"255":
            raise ValueError("its header is not P5, width and height, 255")
        width, height = (int(word) for word in parts[1].split())
        body = parts[3]
        if converted and len(body) == width * height - 1:
            body = _with_lost_return(body, width)
        if len(body) != width * height:
            raise ValueError(f"it has {len(body)} pixels, not {width} x {height}")
        return np.frombuffer(body, dtype=np.uint8).reshape(height, width)


def read_table(path: Path) -> tuple[npt.NDArray[np.float32], tuple[str, ...]]:
    """A table of numbers under one line of column names; `.csv`, or `.csv.zip` with one file inside."""
    with _naming(path, "a table of numbers"):
        text = io.StringIO(_unpacked(path).decode("utf-8"))
        names = tuple(text.readline().strip().split(","))
        values = np.loadtxt(text, delimiter=",", dtype=np.float32, ndmin=2)
        if values.shape[1] != len(names):
            raise ValueError(f"it has {len(names)} column names and {values.shape[1]} columns")
        return values, names


def read_grid(path: Path) -> npt.NDArray[np.float32]:
    """A table of numbers without column names, gzip or not."""
    with _naming(path, "a table of numbers"):
        text = io.StringIO(_unpacked(path).decode("utf-8"))
        return np.loadtxt(text, delimiter=",", dtype=np.float32, ndmin=2)


def _with_lost_return(body: bytes, width: int) -> bytes:
    """Put back the one byte that the mending takes too many, when the picture itself held the pair 13, 10.

    Which 10 it stood before cannot be known; taken is the place that leaves the picture smoothest from row to row.
    """

    def roughness(candidate: bytes) -> int:
        rows = np.frombuffer(candidate, dtype=np.uint8).reshape(-1, width).astype(np.int64)
        return int(np.abs(np.diff(rows, axis=0)).sum())

    places = [place for place, value in enumerate(body) if value == ord("\n")]
    candidates = [body[:place] + b"\r" + body[place:] for place in places]
    return min(candidates, key=roughness) if candidates else body


def _unpacked(path: Path) -> bytes:
    openers: dict[str, Callable[[Path], bytes]] = {
        ".gz": lambda one: gzip.decompress(one.read_bytes()),
        ".zip": _unzipped,
    }
    return openers.get(path.suffix, Path.read_bytes)(path)


def _unzipped(path: Path) -> bytes:
    with zipfile.ZipFile(path) as opened:
        files = opened.namelist()
        if len(files) != 1:
            raise ValueError(f"it holds {len(files)} files, not one")
        return opened.read(files[0])


@contextmanager
def _naming(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise DataError(f"Expected {what} in {path}, but {error}.", "Delete its folder and fetch again.") from error
