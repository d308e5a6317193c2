"""The web chat: the page, under each address that it shows, and its files, as they were built.

They are read once, when the application is made: a page and the files it names stay of one build,
whatever happens to the folder meanwhile. A file whose name holds its hash never changes, so
browsers may keep it; the page and the few files without one are asked for again.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import Final

from quart import Blueprint, Response, request

from frontend_api.domain.errors import NotFound
from frontend_api.web.documented import RouteDoc, documented

BUILT: Final = Path(__file__).parents[2] / "webapp" / "dist"
_PAGE: Final = "index.html"
_FILES: Final = "assets"
_UNBUILT: Final = (Path(__file__).parent / "static" / "unbuilt.html").read_bytes()
# As Vite names them: `index-B2v3_x9Q.js`.
_HASHED: Final = re.compile(r"-[\w-]{8}\.\w+$", re.ASCII)
_MAX_LOOKS: Final = 5
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
# Python's own table depends on the machine's.
_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_COMPRESSED: Final = frozenset({".css", ".html", ".js", ".svg", ".webmanifest"})


@dataclass(frozen=True, slots=True)
class _File:
    """One file, ready to be sent; `packed` is its gzip, if that is worth it."""

    plain: bytes
    packed: bytes | None
    media_type: str
    cache_control: str
    etag: str


def webapp_routes(built: Path = BUILT) -> Blueprint:
    """Return the page's addresses and its files, of the folder that `npm run build` makes."""
    blueprint = Blueprint("webapp", __name__)
    files = _read(built)
    page = files.get(_PAGE) or _file(_PAGE, _UNBUILT)

    @blueprint.get("/")
    @documented(RouteDoc(tag="Web chat", media={"text/html": str}))
    async def page_of_chat() -> Response:
        """Show the web chat."""
        return await _sent(page)

    @blueprint.get("/c/<conversation_id>")
    @documented(RouteDoc(tag="Web chat", media={"text/html": str}))
    async def page_of_conversation(conversation_id: str) -> Response:
        """Show the web chat with one conversation open, if the key that it asks for may see it."""
        return await _sent(page)

    @blueprint.get("/usage")
    @documented(RouteDoc(tag="Web chat", media={"text/html": str}))
    async def page_of_usage() -> Response:
        """Show the web chat with what one's key has used."""
        return await _sent(page)

    @blueprint.get(f"/{_FILES}/<path:name>")
    @documented(RouteDoc(tag="Web chat", media={"*/*": str}, errors=(NotFound,)))
    async def page_file(name: str) -> Response:
        """Hand out a file of the web chat."""
        file = files.get(f"{_FILES}/{name}")
        if file is None:
            raise NotFound("The web chat has no such file.")
        return await _sent(file)

    return blueprint


def _read(built: Path) -> Mapping[str, _File]:
    """Return the files by their paths below the folder; without a page there are none."""
    for _ in range(_MAX_LOOKS):
        # Another build may take this one's place while it is read.
        with suppress(FileNotFoundError):
            return _read_once(built)
    return {}


def _read_once(built: Path) -> Mapping[str, _File]:
    if not (built / _PAGE).is_file():
        return {}
    paths = [built / _PAGE, *(built / _FILES).rglob("*")]
    names = {path.relative_to(built).as_posix(): path for path in paths if path.is_file()}
    return {name: _file(name, path.read_bytes()) for name, path in names.items()}


def _file(name: str, plain: bytes) -> _File:
    suffix = Path(name).suffix
    return _File(
        plain=plain,
        # Without the time, so that every worker sends the same bytes.
        packed=gzip.compress(plain, mtime=0) if suffix in _COMPRESSED else None,
        media_type=_TYPES.get(suffix) or guess_type(name)[0] or "application/octet-stream",
        cache_control=_FOR_EVER if _HASHED.search(name) else _ASK_AGAIN,
        etag=hashlib.sha256(plain).hexdigest()[:16],
    )


async def _sent(file: _File) -> Response:
    takes_packed = request.accept_encodings.quality("gzip") > 0
    packed = file.packed if takes_packed else None
    response = Response(packed or file.plain, mimetype=file.media_type)
    response.headers["cache-control"] = file.cache_control
    if file.packed is not None:
        response.headers["vary"] = "accept-encoding"
    if packed is not None:
        response.headers["content-encoding"] = "gzip"
    # Weak: it is the same for both encodings.
    response.set_etag(file.etag, weak=True)
    return await response.make_conditional(request)
