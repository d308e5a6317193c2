"""One model as the table has it, and where it is read from: a server, or a repository folder."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from triton_backend.llm.errors import LoadError
from triton_backend.llm.manifest import read_manifest

_TIMEOUT_S: Final = 10.0
_UNAUTHORIZED: Final = (401, 403)


class NoServerError(Exception):
    """Nobody answers at the address."""


class RefusedError(Exception):
    """The server answers, but not with models; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of it; None where it is not. state: `stored` in a folder, else as it tells."""

    name: str
    state: str
    reason: str | None = None
    engine: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    memory_bytes: int | None = None
    load_seconds: float | None = None
    loading_seconds: float | None = None
    loading_percent: int | None = None
    aliases: tuple[str, ...] = ()


def models_of_server(url: str, key: str) -> Sequence[Model]:
    """Return the models a server lists; raises NoServerError or RefusedError."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    address = f"{url.rstrip('/')}/v1/models"
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - an http address
    # A proxy from the environment is meant for the outside world, not for one's own server.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            listed = json.load(answer)["data"]
        return _with_aliases([(_of_json(one), one["x_conch"]["alias_of"]) for one in listed])
    except urllib.error.HTTPError as error:
        with error:
            raise RefusedError(_refusal(url, error.code)) from error
    except (OSError, http.client.HTTPException) as error:
        raise NoServerError(f"No server answers at {url}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError(f"What answers at {url} is not Conch.") from error


def models_of_folder(repository: Path) -> Iterator[Model]:
    """Yield the models that lie in a repository folder; nothing tells whether they are loaded."""
    for config in sorted(repository.glob("*/config.pbtxt")):
        versions = [path for path in config.parent.iterdir() if path.name.isdecimal()]
        newest = max(versions, key=lambda path: int(path.name), default=config.parent / "1")
        try:
            manifest = read_manifest(newest)
        except (LoadError, OSError) as error:
            yield Model(config.parent.name, "failed", reason=str(error))
            continue
        yield Model(
            config.parent.name,
            "stored",
            engine=manifest.engine,
            quantization=manifest.quantization,
            context_length=manifest.context_length,
        )


def _refusal(url: str, status: int) -> str:
    if status in _UNAUTHORIZED:
        return f"The server at {url} wants a key: set CONCH_API_KEY to one that may list models."
    return f"The server at {url} answers {status} instead of its models."


def _of_json(listed: Mapping[str, object]) -> Model:
    told = listed["x_conch"]
    if not isinstance(told, dict):
        raise TypeError
    return Model(
        str(listed["id"]),
        told["state"],
        reason=told["reason"],
        engine=told["engine"],
        quantization=told["quantization"],
        context_length=told["context_length"],
        memory_bytes=told["memory_bytes"],
        load_seconds=told["load_seconds"],
        # A server of an older Conch does not tell these.
        loading_seconds=told.get("loading_seconds"),
        loading_percent=told.get("loading_percent"),
    )


def _with_aliases(listed: Sequence[tuple[Model, str | None]]) -> Sequence[Model]:
    """Return the models by their own names, each with its others."""
    return [
        replace(model, aliases=tuple(other.name for other, of in listed if of == model.name))
        for model, alias_of in listed
        if alias_of is None
    ]
