"""The form of our log lines, and what must never be in them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import structlog

from frontend_api.domain.keys import without_keys


def redacting(
    renderer: structlog.typing.Processor, secrets: Sequence[str]
) -> structlog.typing.Processor:
    """Return the renderer with every key, and each of these secrets, hidden in what it writes."""

    def render(
        logger: structlog.typing.WrappedLogger, name: str, event: structlog.typing.EventDict
    ) -> str:
        line = str(renderer(logger, name, event))
        for secret in secrets:
            line = line.replace(secret, "***")
        return without_keys(line)

    return render


def configure_logging(level: str, log_format: str, secrets: Sequence[str] = ()) -> None:
    """Send our log lines and those of the libraries to stderr, in one format.

    secrets: what must not be in them, beside what looks like a key.
    """
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processor=redacting(renderer, secrets)
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
