"""GET /v1/usage for whoever has a key, and GET /admin/usage for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from typing import Final

import orjson
from quart import Blueprint, Response

from frontend_api.domain.budgets import Allowance, Share, UsageFilter, UsagePage
from frontend_api.domain.errors import BadRequest, StoreLost
from frontend_api.service.budgets import Budgets
from frontend_api.service.callers import current_caller
from frontend_api.service.usage import UsageCount
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.query import read_query
from frontend_api.web.usage_types import DaysQuery, OwnUsage, Usage, UsageQuery

TAG: Final = "Usage"
_DEFAULT_DAYS: Final = 30
_MAX_DAYS: Final = 366
_MAX_ROWS: Final = 10_000
_OWN_DOC: Final = RouteDoc(tag=TAG, query=DaysQuery, answers={200: OwnUsage}, errors=(StoreLost,))
_ALL_DOC: Final = RouteDoc(tag=TAG, query=UsageQuery, answers={200: Usage}, errors=(StoreLost,))


def usage_routes(usage: UsageCount, budgets: Budgets) -> Blueprint:
    """Return the route that shows callers what they have used."""
    blueprint = Blueprint("usage", __name__)

    @blueprint.get("/v1/usage")
    @documented(_OWN_DOC)
    async def get_usage() -> Response:
        """Show what the caller's key has used, by day and model, and what it has left."""
        caller = current_caller()
        wanted = replace(_wanted(read_query(DaysQuery), usage), key_id=caller.key_id or "")
        page = await usage.page(wanted, _MAX_ROWS)
        left = await budgets.left(caller)
        return _answer({**_page(page, wanted), "key_id": caller.key_id, "left": _left(left)})

    return blueprint


def usage_admin_routes(usage: UsageCount) -> Blueprint:
    """Return the route that shows operators what all have used."""
    blueprint = Blueprint("admin_usage", __name__)

    @blueprint.get("/admin/usage")
    @documented(_ALL_DOC)
    async def list_usage() -> Response:
        """Show requests and tokens by day, key and model, of some days."""
        query = read_query(UsageQuery)
        wanted = replace(_wanted(query, usage), key_id=query.key_id, model=query.model)
        return _answer(_page(await usage.page(wanted, _MAX_ROWS), wanted))

    return blueprint


def _wanted(query: DaysQuery, usage: UsageCount) -> UsageFilter:
    last = query.last_day or date.fromisoformat(usage.today())
    first = query.first_day or date.fromordinal(max(1, last.toordinal() - _DEFAULT_DAYS + 1))
    if not 0 <= (last - first).days < _MAX_DAYS:
        raise BadRequest(
            f"Invalid 'first_day': expected one of the {_MAX_DAYS} days up to 'last_day'.",
            param="first_day",
            code="invalid_value",
        )
    return UsageFilter(first_day=first.isoformat(), last_day=last.isoformat())


def _page(page: UsagePage, wanted: UsageFilter) -> Mapping[str, object]:
    return {
        "object": "usage",
        "first_day": wanted.first_day,
        "last_day": wanted.last_day,
        "totals": page.totals,
        "data": [asdict(row) for row in page.rows],
        "has_more": page.has_more,
    }


def _left(allowance: Allowance | None) -> Mapping[str, object]:
    left = allowance or Allowance()
    return {
        "requests_per_minute": _share(left.requests),
        "tokens_per_minute": _share(left.tokens),
        "tokens_per_day": _share(left.tokens_per_day),
        "parallel_requests": _share(left.parallel),
    }


def _share(share: Share | None) -> Mapping[str, object] | None:
    if share is None:
        return None
    reset_s = round(share.reset_s, 3)
    return {"limit": share.limit, "remaining": share.remaining, "reset_s": reset_s}


def _answer(document: Mapping[str, object]) -> Response:
    return Response(orjson.dumps(document), mimetype="application/json")
