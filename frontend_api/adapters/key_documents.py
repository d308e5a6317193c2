"""API keys as plain JSON values, the form that both databases keep."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from frontend_api.adapters.session_documents import Document
from frontend_api.domain.keys import ApiKey, KeyLimits, OldSecret, Scope


def key_document(key: ApiKey) -> Document:
    """Return the key as a document."""
    return {**asdict(key), "scopes": list(key.scopes), "models": _listed(key.models)}


def key_of(document: Document) -> ApiKey:
    """Return the key of a document; fields of the database's own are left out."""
    old, models = document["old_secret"], document["models"]
    fields = {name: document[name] for name in ApiKey.__dataclass_fields__}
    return ApiKey(
        **{
            **fields,
            "scopes": cast(tuple[Scope, ...], tuple(document["scopes"])),
            "models": None if models is None else tuple(models),
            "limits": KeyLimits(**document["limits"]),
            "old_secret": None if old is None else OldSecret(**old),
        }
    )


def _listed(models: tuple[str, ...] | None) -> list[str] | None:
    return None if models is None else list(models)
