"""An engine waits for the work of other threads, and never longer than its limit."""

import threading

from tests.unit.backend.fakes import PATIENCE_S
from triton_backend.llm.backlog import Backlog


def test_nothing_to_do_is_not_waited_for() -> None:
    backlog = Backlog()
    backlog.add()
    backlog.done()

    backlog.wait_until_done(PATIENCE_S)


def test_work_in_another_thread_is_waited_for() -> None:
    backlog, order = Backlog(), list[str]()
    backlog.add()
    backlog.add()

    def work() -> None:
        backlog.done()
        order.append("worked")
        backlog.done()

    worker = threading.Thread(target=work)
    worker.start()
    backlog.wait_until_done(PATIENCE_S)
    order.append("waited")
    worker.join()

    assert order == ["worked", "waited"]


def test_work_that_is_never_done_is_given_up_after_the_limit() -> None:
    backlog = Backlog()
    backlog.add()

    backlog.wait_until_done(0.01)
