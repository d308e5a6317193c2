"""The timer that every token restarts."""

import asyncio

from frontend_api.service.idle_timer import IdleTimer


async def test_it_calls_when_the_time_has_passed() -> None:
    called = asyncio.Event()
    timer = IdleTimer(called.set)

    timer.arm(0.01)

    await asyncio.wait_for(called.wait(), 2)
    timer.close()


async def test_a_later_arm_moves_the_call() -> None:
    loop = asyncio.get_running_loop()
    called = asyncio.Event()
    timer = IdleTimer(called.set)
    started = loop.time()

    timer.arm(0.01)
    timer.arm(0.1)

    await asyncio.wait_for(called.wait(), 2)
    assert loop.time() - started >= 0.1
    timer.close()


async def test_an_earlier_arm_moves_the_call_too() -> None:
    called = asyncio.Event()
    timer = IdleTimer(called.set)

    timer.arm(60)
    timer.arm(0.01)

    await asyncio.wait_for(called.wait(), 2)
    timer.close()


async def test_disarmed_or_closed_it_never_calls() -> None:
    calls: list[str] = []
    disarmed = IdleTimer(lambda: calls.append("disarmed"))
    closed = IdleTimer(lambda: calls.append("closed"))
    witness = asyncio.Event()
    later = IdleTimer(witness.set)

    disarmed.arm(0.01)
    disarmed.disarm()
    closed.arm(0.01)
    closed.close()
    later.arm(0.05)

    await asyncio.wait_for(witness.wait(), 2)
    assert calls == []
    disarmed.close()
    later.close()
