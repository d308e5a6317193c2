"""What a key has left of its limits, as headers: OpenAI's, and those of the original service.

Every answer to a limited caller has them, a refusal as well; they are for requests and tokens of a
minute, or of tokens for the day where there is no other limit. What is asked of the store for
them is remembered for a second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from quart import Quart, Response

from frontend_api.domain.budgets import Allowance, Share
from frontend_api.domain.errors import StoreLost
from frontend_api.ports import Clock
from frontend_api.service.budgets import Budgets
from frontend_api.service.callers import current_caller

_MS_PER_S: Final = 1000
_S_PER_MINUTE: Final = 60
_S_PER_HOUR: Final = 3600


def install_rate_headers(app: Quart, budgets: Budgets, clock: Clock) -> None:
    """Put the headers on every answer of a limited caller."""

    @app.after_request
    async def tell_allowance(response: Response) -> Response:
        try:
            allowance = await budgets.left(current_caller())
        except StoreLost:
            # An answer is worth more than its headers.
            return response
        if allowance is not None:
            response.headers.update(rate_headers(allowance, clock.now()))
        return response


def rate_headers(allowance: Allowance, now: float) -> Mapping[str, str]:
    """Return them; now: seconds since 1970."""
    tokens = allowance.tokens or allowance.tokens_per_day
    headers = {**_openai("requests", allowance.requests), **_openai("tokens", tokens)}
    if (requests := allowance.requests) is not None:
        headers["X-RateLimit-Limit"] = str(requests.limit)
        headers["X-RateLimit-Remaining"] = str(requests.remaining)
        headers["X-RateLimit-Reset"] = str(math.ceil(now + requests.reset_s))
    return headers


def _openai(what: str, share: Share | None) -> Mapping[str, str]:
    if share is None:
        return {}
    return {
        f"x-ratelimit-limit-{what}": str(share.limit),
        f"x-ratelimit-remaining-{what}": str(share.remaining),
        f"x-ratelimit-reset-{what}": duration(share.reset_s),
    }


def duration(seconds: float) -> str:
    """Return seconds in OpenAI's form: `374ms`, `1.5s`, `6m0s`, `2h0m5s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * _MS_PER_S)}ms"
    if seconds < _S_PER_MINUTE:
        return f"{round(seconds, 3):g}s"
    whole = math.ceil(seconds)
    hours, minutes = whole // _S_PER_HOUR, whole % _S_PER_HOUR // _S_PER_MINUTE
    return f"{f'{hours}h' if hours else ''}{minutes}m{whole % _S_PER_MINUTE}s"
