"""GET /docs: the reference as a page. Its files are Swagger UI's and ours, all served from here."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from quart import Blueprint, Response, send_from_directory

from frontend_api.domain.errors import NotFound
from frontend_api.web.documented import RouteDoc, documented

_OURS: Final = Path(__file__).parent / "static"
# Found, not imported: only its files are wanted, not its Flask blueprint.
_SPEC: Final = find_spec("flask_swagger_ui")
_SWAGGER: Final = Path(_SPEC.origin or "").parent / "dist" if _SPEC else _OURS
_FILES: Final = {
    "docs.js": _OURS,
    "swagger-ui.css": _SWAGGER,
    "swagger-ui-bundle.js": _SWAGGER,
    "favicon-32x32.png": _SWAGGER,
}
# Swagger UI draws its icons from `data:` addresses, and writes HTML as text: no trusted types.
_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_MAX_AGE_S: Final = 3600


def docs_routes() -> Blueprint:
    """Return the page and its files."""
    blueprint = Blueprint("docs", __name__)

    @blueprint.get("/docs")
    @documented(RouteDoc(tag="Reference", media={"text/html": str}))
    async def docs() -> Response:
        """Show this reference as a page."""
        page = await send_from_directory(_OURS, "docs.html", cache_timeout=0)
        page.headers["content-security-policy"] = _POLICY
        return page

    @blueprint.get("/docs/<name>")
    @documented(RouteDoc(tag="Reference", media={"*/*": str}, errors=(NotFound,)))
    async def docs_file(name: str) -> Response:
        """Hand out a file of the page."""
        folder = _FILES.get(name)
        if folder is None:
            raise NotFound("The page has no such file.")
        return await send_from_directory(folder, name, cache_timeout=_MAX_AGE_S)

    return blueprint
