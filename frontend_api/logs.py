"""The form of our log lines, and what must never be in them."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from frontend_api.domain.keys import without_keys

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


def redacting(
    renderer: structlog.typing.Processor, secrets: Sequence[str]
) -> structlog.typing.Processor:
    """Return the renderer with every key, and each of these secrets, hidden in what it writes."""
    spellings = _spellings(secrets)

    def render(
        logger: structlog.typing.WrappedLogger, name: str, event: structlog.typing.EventDict
    ) -> str:
        line = str(renderer(logger, name, event))
        for spelling in spellings:
            line = line.replace(spelling, "***")
        return without_keys(line)

    return render


def _spellings(secrets: Iterable[str]) -> Sequence[str]:
    """Return how they may stand in a line, the longest first: also in a repr, in JSON, in both."""
    plain = {form for secret in secrets for form in (secret, repr(secret)[1:-1])}
    return sorted(plain | {json.dumps(form)[1:-1] for form in plain}, key=len, reverse=True)


def line_renderer(
    log_format: str, secrets: Sequence[str] = ()
) -> Callable[[Mapping[str, object]], str]:
    """Return what makes one line of the fields of an event, as `configure_logging` does."""
    render = redacting(_renderer(log_format), secrets)
    return lambda fields: str(render(None, "", dict(fields)))


def _renderer(log_format: str) -> structlog.typing.Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=False)


def configure_logging(
    level: str,
    log_format: str,
    secrets: Sequence[str] = (),
    stream: SupportsWrite[str] | None = None,
) -> None:
    """Send our log lines and those of the libraries to a stream, in one format.

    secrets: what must not be in them, beside what looks like a key; stream: stderr unless given.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        # The level is asked for each line, not built in: it may be changed while we run.
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processor=redacting(_renderer(log_format), secrets)
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Its own lines at INFO say when a worker starts and stops; ours say the same.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def log_level() -> str:
    """Return from which level on lines of this process are written: debug, info, …"""
    return logging.getLevelName(logging.getLogger().level).lower()


def set_log_level(level: str) -> None:
    """Write lines from this level on, from now on."""
    logging.getLogger().setLevel(level.upper())
