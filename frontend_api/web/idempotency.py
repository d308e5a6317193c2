"""`Idempotency-Key`: a creating request that is sent again is answered as the first time.

Around every route whose documentation says `is_idempotent`. Kept are whole answers and whole
streams, with success or because the client must change something. Released are failures of ours,
what may be tried again as it is, and a stream that its client left, unless it is a stored
response: of that the id is kept, and the route reads it again (`open_feed`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Final

from quart import Quart, Response, request
from quart.wrappers.response import IterableBody, ResponseBody

from frontend_api.domain.errors import BadRequest, Conflict
from frontend_api.domain.stored import KeptAnswer
from frontend_api.service.feeds import Feed
from frontend_api.service.idempotency import Claim, Idempotency, response_id_of
from frontend_api.service.orders import Order
from frontend_api.service.responses import Responses
from frontend_api.web.documented import doc_of
from frontend_api.web.errors import error_json
from frontend_api.web.owner import owner_of
from frontend_api.web.scope import RequestRecord, record_of

HEADER: Final = "idempotency-key"
REPLAYED: Final = "idempotent-replayed"
# A document of MongoDB has 16 MB; a stream of this many bytes has some 16,000 tokens.
MAX_KEPT_BYTES: Final = 4 * 1024 * 1024
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_EVENTS: Final = "text/event-stream"
# The client is meant to send these again as they are.
_PASSING: Final = frozenset({408, 409, 429, 499})
_TOO_LARGE: Final = Conflict(
    "The answer to the first request with this Idempotency-Key was too large to be kept.",
    code="idempotent_answer_too_large",
)


def install_idempotency(app: Quart, idempotency: Idempotency) -> None:
    """Do a request that names a key once, where the route takes keys."""

    @app.before_request
    async def claim_key() -> Response | None:
        key = request.headers.get(HEADER)
        if key is None or not _takes_keys(app):
            return None
        record = record_of(request.scope)
        found = await idempotency.claim(
            owner_of(request.scope), _checked(key), await _fingerprint()
        )
        if isinstance(found, Claim):
            record.claim = record.own(found)
            return None
        record.repeats = response_id_of(found)
        return None if record.repeats is not None else _replayed(found)

    @app.after_request
    async def keep_answer(response: Response) -> Response:
        record = record_of(request.scope)
        if record.repeats is not None:
            response.headers[REPLAYED] = "true"
        if record.claim is None or not _is_worth_keeping(response.status_code):
            return response
        if response.mimetype == _EVENTS:
            events = _gathered(response.response, record, record.claim, response.content_type)
            response.response = IterableBody(events)
        else:
            body = await response.get_data(as_text=False)
            answer = KeptAnswer(response.status_code, response.content_type or "", body)
            await _keep(record.claim, answer)
        return response


async def open_feed(responses: Responses, order: Order) -> Feed:
    """Begin a response; of a request that was sent before, follow the response it began.

    The feed is closed when the request ends.
    """
    record = record_of(request.scope)
    if record.repeats is not None:
        return record.own(await responses.follow(order.owner, record.repeats))
    feed = record.own(await responses.create(order))
    if record.claim is not None and order.is_stored:
        await record.claim.keep_response(feed.message.id)
    return feed


def _takes_keys(app: Quart) -> bool:
    view = app.view_functions.get(request.endpoint or "")
    doc = None if view is None else doc_of(view)
    return doc is not None and doc.is_idempotent


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise BadRequest(
            "Invalid 'Idempotency-Key': expected 1 to 255 visible characters of ASCII.",
            param="Idempotency-Key",
            code="invalid_value",
        )
    return key


async def _fingerprint() -> str:
    body = await request.get_data(cache=True, as_text=False, parse_form_data=False)
    address = f"{request.method} {request.full_path}\n"
    return hashlib.sha256(address.encode() + body).hexdigest()


def _is_worth_keeping(status: int) -> bool:
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING


def _replayed(answer: KeptAnswer) -> Response:
    return Response(
        answer.body,
        status=answer.status,
        content_type=answer.content_type or None,
        headers={REPLAYED: "true"},
    )


async def _gathered(
    body: ResponseBody, record: RequestRecord, claim: Claim, content_type: str | None
) -> AsyncGenerator[bytes, None]:
    """Yield the stream's bytes, and keep them all once the last was taken."""
    kept = bytearray()
    async with body as chunks:
        async for chunk in chunks:
            if len(kept) <= MAX_KEPT_BYTES:
                kept += chunk
            yield chunk
    if not record.has_failed:
        await _keep(claim, KeptAnswer(HTTPStatus.OK, content_type or _EVENTS, bytes(kept)))


async def _keep(claim: Claim, answer: KeptAnswer) -> None:
    """Keep what is not too large; of a stored response that is, the id is kept already."""
    if len(answer.body) <= MAX_KEPT_BYTES:
        await claim.keep(answer)
    elif not claim.has_response:
        error = error_json(_TOO_LARGE)
        await claim.keep(KeptAnswer(_TOO_LARGE.status, "application/json", error))
