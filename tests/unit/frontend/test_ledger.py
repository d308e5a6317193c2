"""The ledger of a key: what is let in, what is charged, and what is left."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_api.domain.budgets import Allowance, Reservation, Share
from frontend_api.domain.errors import BudgetSpent
from frontend_api.domain.keys import KeyLimits
from frontend_api.domain.ledger import Ledger

# Half past a second, and an hour before midnight.
NOW = 1_700_002_800.5
MIDNIGHT = 1_700_006_400.0
LEASE_S = 12.0


def asked(name: str, limits: KeyLimits, num_tokens: int = 0, **given: object) -> Reservation:
    made_at = given.pop("at", NOW)
    assert isinstance(made_at, float)
    reservation = Reservation(
        id=name,
        limits=limits,
        num_tokens=num_tokens,
        least_tokens=num_tokens,
        made_at=made_at,
        lease_until=made_at + LEASE_S,
    )
    return replace(reservation, **given)  # type: ignore[arg-type]


def refusal(ledger: Ledger, reservation: Reservation) -> BudgetSpent:
    with pytest.raises(BudgetSpent) as refused:
        ledger.reserve(reservation)
    return refused.value


def test_requests_are_let_in_up_to_the_limit_of_any_sixty_seconds() -> None:
    ledger, limits = Ledger(), KeyLimits(requests_per_minute=2)
    ledger.reserve(asked("a", limits))
    ledger.reserve(asked("b", limits, at=NOW + 30))

    refused = refusal(ledger, asked("c", limits, at=NOW + 60))
    ledger.reserve(asked("c", limits, at=NOW + 60.5))

    assert refused.retry_after_s == 1
    assert refused.status == 429
    assert refused.message == (
        "Rate limit reached for this API key on requests per minute: Limit 2, Used 2,"
        " Requested 1. Please try again in 1s."
    )
    assert refusal(ledger, asked("d", limits, at=NOW + 61)).retry_after_s == 30


@given(st.lists(st.floats(0, 200), max_size=60), st.integers(1, 5))
def test_no_sixty_seconds_ever_hold_more_requests_than_the_limit(
    moments: list[float], limit: int
) -> None:
    ledger, limits = Ledger(), KeyLimits(requests_per_minute=limit)
    let_in = []
    for number, moment in enumerate(sorted(moments)):
        try:
            ledger.reserve(asked(str(number), limits, at=NOW + moment))
        except BudgetSpent:
            continue
        let_in.append(moment)

    assert all(sum(a <= b < a + 60 for b in let_in) <= limit for a in let_in)
    assert len(ledger.seconds) <= 62


def test_a_request_that_is_sent_again_is_one() -> None:
    ledger, limits = Ledger(), KeyLimits(requests_per_minute=1, tokens_per_minute=10)

    assert ledger.reserve(asked("a", limits, 7)) == 7
    assert ledger.reserve(asked("a", limits, 7)) == 7

    assert ledger.allowance(limits, NOW).tokens == Share(limit=10, remaining=3, reset_s=60.5)


def test_tokens_are_set_aside_and_settled_to_what_was_used() -> None:
    ledger, limits = Ledger(), KeyLimits(tokens_per_minute=100, tokens_per_day=150)
    ledger.reserve(asked("a", limits, 60))
    assert refusal(ledger, asked("b", limits, 41)).retry_after_s == 61
    ledger.widen("a", limits, 90, NOW)
    assert ledger.allowance(limits, NOW) == Allowance(
        tokens=Share(limit=100, remaining=10, reset_s=60.5),
        tokens_per_day=Share(limit=150, remaining=60, reset_s=MIDNIGHT - NOW),
    )

    ledger.settle("a", 25)
    ledger.settle("a", 99)

    left = ledger.allowance(limits, NOW)
    assert (left.tokens and left.tokens.remaining) == 75
    assert (left.tokens_per_day and left.tokens_per_day.remaining) == 125
    assert ledger.held == {}


@pytest.mark.parametrize(
    ("limits", "name", "wait_s"),
    [
        (KeyLimits(tokens_per_minute=100), "tokens", 61),
        (KeyLimits(tokens_per_day=100), "tokens_per_day", 3600),
    ],
)
def test_widening_beyond_the_limit_is_refused_and_changes_nothing(
    limits: KeyLimits, name: str, wait_s: int
) -> None:
    ledger = Ledger()
    ledger.reserve(asked("a", limits, 60))
    ledger.reserve(asked("b", limits, 20))
    before = ledger.allowance(limits, NOW)

    refused = []
    for num_tokens in (81, 101):
        with pytest.raises(BudgetSpent) as refusal:
            ledger.widen("a", limits, num_tokens, NOW)
        refused.append(refusal.value)

    assert [each.limit for each in refused] == [name, name]
    # So many it can never have.
    assert [each.retry_after_s for each in refused] == [wait_s, None]
    assert ledger.allowance(limits, NOW) == before


def test_who_would_take_more_gets_what_is_left_if_it_is_enough() -> None:
    ledger, limits = Ledger(), KeyLimits(tokens_per_minute=100, tokens_per_day=90)
    ledger.reserve(asked("a", limits, 30))

    assert ledger.reserve(asked("b", limits, 4096, least_tokens=60)) == 60
    assert refusal(ledger, asked("c", limits, 4096, least_tokens=1)).retry_after_s == 3600


def test_what_is_more_than_the_limit_itself_is_not_to_be_tried_again() -> None:
    limits = KeyLimits(tokens_per_minute=100)

    refused = refusal(Ledger(), asked("a", limits, 101))

    assert refused.retry_after_s is None
    assert refused.message.startswith("Request too large for this API key on tokens per minute:")


def test_the_day_ends_at_midnight_and_an_answer_counts_on_the_day_it_began() -> None:
    ledger, limits = Ledger(), KeyLimits(tokens_per_day=100)
    ledger.reserve(asked("a", limits, 100))
    assert refusal(ledger, asked("b", limits, 1)).retry_after_s == 3600

    ledger.reserve(asked("b", limits, 100, at=MIDNIGHT))
    ledger.settle("a", 10)

    left = ledger.allowance(limits, MIDNIGHT).tokens_per_day
    assert left == Share(limit=100, remaining=0, reset_s=86_400)


def test_clocks_that_differ_do_not_give_the_day_twice() -> None:
    ledger, limits = Ledger(), KeyLimits(tokens_per_day=100)
    ledger.reserve(asked("a", limits, 100, at=MIDNIGHT + 1))

    refused = refusal(ledger, asked("b", limits, 1, at=MIDNIGHT - 1))

    assert refused.status == 429
    left = ledger.allowance(limits, MIDNIGHT - 1).tokens_per_day
    assert left == Share(limit=100, remaining=0, reset_s=1)


def test_only_so_many_run_at_a_time() -> None:
    ledger, limits = Ledger(), KeyLimits(parallel_requests=1)
    ledger.reserve(asked("a", limits))

    assert refusal(ledger, asked("b", limits)).retry_after_s == 1
    assert ledger.allowance(limits, NOW).parallel == Share(limit=1, remaining=0, reset_s=1)
    ledger.settle("a", 5)
    ledger.reserve(asked("b", limits))


def test_a_crashed_workers_request_is_charged_what_was_last_told_and_runs_no_more() -> None:
    ledger, limits = Ledger(), KeyLimits(parallel_requests=1, tokens_per_minute=100)
    ledger.reserve(asked("a", limits, 90))
    ledger.renew("a", 20, NOW + 5)

    ledger.reserve(asked("b", limits, 80, at=NOW + 5))

    left = ledger.allowance(limits, NOW + 5)
    assert left.tokens == Share(limit=100, remaining=0, reset_s=60.5)


def test_a_worker_that_was_taken_for_dead_can_still_settle() -> None:
    ledger, limits = Ledger(), KeyLimits(tokens_per_day=100)
    ledger.reserve(asked("a", limits, 90))
    ledger.reserve(asked("b", limits, 10, at=NOW + 30))

    ledger.renew("a", 50, NOW + 60)
    ledger.settle("a", 55)

    left = ledger.allowance(limits, NOW + 31).tokens_per_day
    assert (left and left.remaining) == 35


def test_what_crashed_long_ago_is_forgotten() -> None:
    ledger, limits = Ledger(), KeyLimits(tokens_per_day=100)
    ledger.reserve(asked("a", limits, 90))

    ledger.reserve(asked("b", limits, 1, at=NOW + 1000))

    assert ledger.held.keys() == {"b"}


def test_a_clock_that_is_put_back_blocks_no_key() -> None:
    ledger, limits = Ledger(), KeyLimits(requests_per_minute=1)
    ledger.reserve(asked("a", limits, at=NOW + 3600))

    ledger.reserve(asked("b", limits))


def test_without_limits_nothing_is_refused_and_nothing_shown() -> None:
    ledger, limits = Ledger(), KeyLimits()
    for number in range(100):
        ledger.reserve(asked(str(number), limits, 10**6))

    assert ledger.allowance(limits, NOW) == Allowance()
