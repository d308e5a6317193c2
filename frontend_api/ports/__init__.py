"""The replaceable things: what the use cases need from the outside, as Protocols."""

from frontend_api.ports.models import Generator, ModelCatalogue, ModelControl, Readiness, Tokenizing
from frontend_api.ports.stores import (
    AuditStore,
    BudgetStore,
    IdempotencyStore,
    KeyStore,
    SessionStore,
    Store,
    UsageStore,
)
from frontend_api.ports.workers import Clock, Lines, Peers, SharedLevel

__all__ = [
    "AuditStore",
    "BudgetStore",
    "Clock",
    "Generator",
    "IdempotencyStore",
    "KeyStore",
    "Lines",
    "ModelCatalogue",
    "ModelControl",
    "Peers",
    "Readiness",
    "SessionStore",
    "SharedLevel",
    "Store",
    "Tokenizing",
    "UsageStore",
]
