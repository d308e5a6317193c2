"""The parent of the API's workers."""

import signal
from collections.abc import Iterator

import pytest
from uvicorn import Config
from uvicorn.supervisors.multiprocess import SIGNALS

from frontend_api.serving import Parent


@pytest.fixture
def parent() -> Iterator[Parent]:
    """One that starts one worker; signals are ours again afterwards."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    made = Parent(Config("no_such_module:app", workers=1), [])
    yield made
    for worker in made.processes:
        worker.kill()
        worker.join()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_worker_that_dies_while_it_is_asked_is_not_waited_for(parent: Parent) -> None:
    parent.init_processes()
    (worker,) = parent.processes

    worker.process.kill()
    worker.join()

    # What waits for its answer sees the end of it.
    assert worker.parent_conn.poll()
    assert not worker.ping(timeout=0)
