"""How long the operations of a database take, told to whoever counts them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from frontend_api.domain.errors import StoreLost


class Observe(Protocol):
    """Hears of every operation."""

    def __call__(self, duration_s: float, *, has_failed: bool) -> None:
        """It took so long; `has_failed`: the database did not answer."""
        ...


def unobserved(duration_s: float, *, has_failed: bool) -> None:
    """Count nothing."""


@contextmanager
def timed(observe: Observe) -> Iterator[None]:
    """Time the block; what it raises besides StoreLost is an answer, too."""
    started, has_failed = time.perf_counter(), False
    try:
        yield
    except StoreLost:
        has_failed = True
        raise
    finally:
        observe(time.perf_counter() - started, has_failed=has_failed)
