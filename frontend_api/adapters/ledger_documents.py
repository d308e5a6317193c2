"""Ledgers as plain JSON values, the form that both databases keep."""

from __future__ import annotations

from dataclasses import astuple

from frontend_api.adapters.session_documents import Document
from frontend_api.domain.ledger import Held, Ledger, Used


def ledger_document(ledger: Ledger) -> Document:
    """Return the ledger as a document; lists, as no database likes numbers as names."""
    return {
        "seconds": [[second, *astuple(used)] for second, used in sorted(ledger.seconds.items())],
        "day": ledger.day,
        "day_tokens": ledger.day_tokens,
        "held": [[held_id, *astuple(held)] for held_id, held in ledger.held.items()],
    }


def ledger_of(document: Document) -> Ledger:
    """Return the ledger of a document; fields of the database's own are left out."""
    return Ledger(
        seconds={second: Used(*used) for second, *used in document["seconds"]},
        day=document["day"],
        day_tokens=document["day_tokens"],
        held={held_id: Held(*held) for held_id, *held in document["held"]},
    )
