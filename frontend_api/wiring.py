"""The list of the replaceable things, and what they are in production."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from frontend_api.adapters.blocklist_file import BlocklistFile
from frontend_api.adapters.level_file import LevelFile, OwnLevel
from frontend_api.adapters.mongo import MongoStore
from frontend_api.adapters.mongo_driver import MongoAddress
from frontend_api.adapters.own_lines import OwnLines
from frontend_api.adapters.shared_lines import SharedLines
from frontend_api.adapters.sqlite import SqliteStore
from frontend_api.adapters.store_timing import Observe, unobserved
from frontend_api.adapters.triton import Triton
from frontend_api.adapters.worker_peers import NoPeers, WorkerPeers
from frontend_api.ports import (
    Clock,
    Generator,
    Lines,
    ModelCatalogue,
    ModelControl,
    Peers,
    SharedLevel,
    Store,
    Tokenizing,
)
from frontend_api.service.blocklist import NoRules, RuleSource
from frontend_api.settings import SecuritySettings, Settings, StoreSettings, TracingSettings
from frontend_api.telemetry import Telemetry
from frontend_api.telemetry.tracing import NoTracing, Tracing


class SystemClock:
    """The Clock port on the machine's clock."""

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        return time.monotonic()


@dataclass(frozen=True)
class Wiring:
    """Everything the application is handed.

    The application opens `store`, `peers`, `lines` and `rules` itself; `running` opens and closes
    all else.
    """

    settings: Settings
    catalogue: ModelCatalogue
    generator: Generator
    control: ModelControl
    tokenizing: Tokenizing
    store: Store
    telemetry: Telemetry = field(default_factory=Telemetry)
    peers: Peers = field(default_factory=NoPeers)
    lines: Lines = field(default_factory=OwnLines)
    level: SharedLevel = field(default_factory=OwnLevel)
    rules: RuleSource = field(default_factory=NoRules)
    clock: Clock = field(default_factory=SystemClock)
    running: Callable[[], AbstractAsyncContextManager[None]] = nullcontext


def production(settings: Settings, metrics_folder: Path | None) -> Wiring:
    """Return the real things; nothing is opened yet."""
    triton = Triton(settings.triton, settings.models, metrics_folder)
    telemetry = Telemetry(metrics_folder, tracing_of(settings.tracing))
    return Wiring(
        settings=settings,
        catalogue=triton.catalogue,
        generator=triton.generator,
        control=triton.control,
        tokenizing=triton.tokenizing,
        store=store_of(settings.store, telemetry.store_asked),
        telemetry=telemetry,
        # Several workers share this folder; a single one has none.
        peers=NoPeers() if metrics_folder is None else WorkerPeers(metrics_folder),
        lines=OwnLines() if metrics_folder is None else SharedLines(metrics_folder),
        level=OwnLevel() if metrics_folder is None else LevelFile(metrics_folder),
        rules=rules_of(settings.security),
        running=triton.running,
    )


def tracing_of(settings: TracingSettings) -> Tracing:
    """Return the way to the collector that is configured, or none; nothing is sent yet."""
    if not settings.endpoint:
        return NoTracing()
    from frontend_api.telemetry.otlp import OtlpTracing  # noqa: PLC0415 - off, it costs nothing

    return OtlpTracing(settings)


def rules_of(settings: SecuritySettings) -> RuleSource:
    """Return the rules about what may be said; raises SettingsError when they cannot be used."""
    return BlocklistFile(Path(settings.blocklist_path)) if settings.blocklist_path else NoRules()


def store_of(settings: StoreSettings, observe: Observe = unobserved) -> Store:
    """Return the database that is configured; it is not open yet."""
    uri = settings.mongodb_uri.get_secret_value()
    if uri:
        return MongoStore(
            MongoAddress(
                uri=uri,
                database=settings.mongodb_database,
                driver=settings.mongodb_driver,
                timeout_s=settings.operation_timeout_s,
            ),
            observe,
        )
    return SqliteStore(
        settings.sqlite_path, timeout_s=settings.operation_timeout_s, observe=observe
    )
