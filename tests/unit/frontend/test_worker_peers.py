"""Workers ask one another; here several of them in one process."""

from pathlib import Path

from frontend_api.adapters.worker_peers import NoPeers, WorkerPeers
from frontend_api.domain.running import Action, RunningRequest

RUNNING = RunningRequest("a", "demo", "running", 1, 2)


class Worker(WorkerPeers):
    """A worker whose socket is named for it, as all of these have one process id."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder)
        self._own = folder / f"worker-{name}.sock"
        self.asked: list[tuple[str, Action]] = []

    def answer(self, request_id: str, action: Action) -> RunningRequest | None:
        self.asked.append((request_id, action))
        return RUNNING if request_id == "a" else None


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_the_worker_that_has_the_request_answers(tmp_path: Path) -> None:
    one, two = Worker(tmp_path, "1"), Worker(tmp_path, "2")
    async with one.listening(one.answer), two.listening(two.answer):
        found = await one.ask("a", "cancel")

    assert found == RUNNING
    assert two.asked == [("a", "cancel")]
    assert one.asked == []


async def test_what_no_worker_has_is_not_found(tmp_path: Path) -> None:
    one, two = Worker(tmp_path, "1"), Worker(tmp_path, "2")
    async with two.listening(two.answer):
        assert await one.ask("b", "look") is None


async def test_a_worker_that_was_killed_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "worker-9.sock").touch()
    one, two = Worker(tmp_path, "1"), Worker(tmp_path, "2")
    async with two.listening(two.answer):
        assert await one.ask("a", "look") == RUNNING


async def test_a_socket_is_removed_at_the_end(tmp_path: Path) -> None:
    one = Worker(tmp_path, "1")
    async with one.listening(one.answer):
        assert names_in(tmp_path) == ["worker-1.sock"]

    assert names_in(tmp_path) == []


async def test_a_server_of_one_worker_asks_nobody() -> None:
    peers = NoPeers()
    async with peers.listening(lambda _id, _action: RUNNING):
        assert await peers.ask("a", "look") is None
