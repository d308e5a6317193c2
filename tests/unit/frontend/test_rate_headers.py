"""What is left of limits, as headers."""

import pytest

from frontend_api.domain.budgets import Allowance, Share
from frontend_api.web.rate_headers import duration, rate_headers

TOKENS = Share(limit=1000, remaining=10, reset_s=0.374)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.374, "374ms"),
        (1, "1s"),
        (12.5, "12.5s"),
        (60, "1m0s"),
        (359.2, "6m0s"),
        (7205, "2h0m5s"),
        (86_400, "24h0m0s"),
    ],
)
def test_a_duration_is_written_as_openai_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_tokens_of_a_day_are_told_where_a_minute_has_no_limit() -> None:
    day = rate_headers(Allowance(tokens_per_day=TOKENS), 0)
    minute = rate_headers(
        Allowance(tokens=TOKENS, tokens_per_day=Share(limit=1, remaining=1, reset_s=1)), 0
    )

    assert day == minute
    assert day == {
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "10",
        "x-ratelimit-reset-tokens": "374ms",
    }


def test_a_key_that_is_limited_in_nothing_of_this_has_no_headers() -> None:
    assert rate_headers(Allowance(parallel=TOKENS), 0) == {}
