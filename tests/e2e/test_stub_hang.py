"""A stub that hangs, stopped but not dead, is ended and replaced; the other models go on.

The watch gives it three probes, 10 to 20 s, so the story is played once and all tests look at it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest

from tests.e2e.conch_process import Conch, is_gone, until
from tests.e2e.test_faults import last_error, open_stream


@dataclass(frozen=True)
class Story:
    """What was seen: by a stream in flight, of another model, of the process before and after."""

    error: dict[str, object]
    is_other_serving: bool
    stub: psutil.Process
    next_stub: psutil.Process


@pytest.fixture(scope="module")
def story(breakable: Conch) -> Iterator[Story]:
    """Stop the stub of `slow` in the middle of a stream; wait until the model serves again."""
    stub = stub_of_slow(breakable)
    try:
        with open_stream(breakable, "slow") as lines:
            stub.suspend()
            is_other_serving = breakable.is_serving("demo")
            error = last_error(lines)
        breakable.wait_for_line("The process of model slow does not answer; ending it")
        breakable.wait_for_line("Model slow is loaded again")
        until(lambda: breakable.is_serving("slow"), "the model serves again")
        yield Story(error, is_other_serving, stub, stub_of_slow(breakable))
    finally:
        if not is_gone(stub):
            stub.resume()


def stub_of_slow(conch: Conch) -> psutil.Process:
    return conch.process("triton_python_backend_stub", "/slow/1/model.py")


def test_a_stream_of_a_hanging_model_ends_with_an_error_event(story: Story) -> None:
    assert story.error["code"] == "backend_unavailable"
    assert "/" not in str(story.error["message"])


def test_a_hanging_model_leaves_the_others_alone(story: Story) -> None:
    assert story.is_other_serving


def test_a_hanging_process_is_ended_and_another_serves(story: Story) -> None:
    assert is_gone(story.stub)
    assert story.next_stub != story.stub
