"""What tests of trainings share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.training.worlds import World, worlds


@pytest.fixture(scope="session")
def world() -> Iterator[Callable[[int], World]]:
    """A function from a number to so many real processes, started when they are first asked for."""
    yield from worlds()
