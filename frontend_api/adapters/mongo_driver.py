"""The MongoDB driver: motor, or the async client of pymongo that follows it.

Motor gets no ordinary fixes since May 2026 and none at all from May 2027 on. All of mongo*.py keeps
to the calls that both have, with the types of pymongo, so that the driver is a setting.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from frontend_api.adapters.session_documents import Document
from frontend_api.domain.stored import StoreRefused

Driver = Literal["motor", "pymongo"]
Client = AsyncMongoClient[Document]
Documents = AsyncCollection[Document]


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoAddress:
    """Where the database is; timeout_s: how long one call of the store may take."""

    uri: str = field(repr=False)  # it may hold a password
    database: str
    driver: Driver = "motor"
    timeout_s: float = 2


@dataclass(frozen=True, slots=True)
class Collections:
    """What is kept where."""

    sessions: Documents
    messages: Documents
    idempotency: Documents
    api_keys: Documents
    ledgers: Documents
    usage: Documents
    audit: Documents
    layout: Documents


# A write is acknowledged when it is in the journals of most members; what is read can no longer be
# rolled back.
_DURABLE: Final = {"w": "majority", "journal": True, "readConcernLevel": "majority"}


def open_client(address: MongoAddress) -> Client:
    """Return a client that connects when it is used; raises StoreRefused for a bad address."""
    timeout_ms = round(address.timeout_s * 1000)
    options: dict[str, Any] = {
        **_DURABLE,
        "appname": "conch",
        "timeoutMS": timeout_ms,  # of each call, with its retries
        "serverSelectionTimeoutMS": timeout_ms,
        "connectTimeoutMS": timeout_ms,
    }
    # Its debug messages hold the documents: what people wrote.
    logging.getLogger("pymongo").setLevel(logging.INFO)
    kind = AsyncIOMotorClient if address.driver == "motor" else AsyncMongoClient
    try:
        return cast("Client", kind(address.uri, **options))
    except (PyMongoError, ValueError) as exc:
        # Without the reason: it may quote the address, and that holds a password.
        raise StoreRefused(
            "The address of MongoDB ([store] mongodb_uri) is none: it looks like"
            " mongodb://user:password@host:27017/?replicaSet=name, with special characters escaped."
        ) from exc


async def close_client(client: Client) -> None:
    """Close its connections."""
    # None in motor, an awaitable in pymongo.
    closing = client.close()
    if closing is not None:
        await closing


def collections_of(client: Client, database: str) -> Collections:
    """Return the collections of this database."""
    db = client[database]
    return Collections(
        sessions=db["sessions"],
        messages=db["messages"],
        idempotency=db["idempotency"],
        api_keys=db["api_keys"],
        ledgers=db["ledgers"],
        audit=db["audit"],
        usage=db["usage"],
        layout=db["layout"],
    )
