"""HAProxy from the files of docker/haproxy: how it is started here, and how it is spoken to.

Only addresses differ from a container's: names with many addresses behind them become servers with
a port of their own. Commands go to the master's socket (HAProxy's management guide, 9.4).
"""

import asyncio
import csv
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.launcher.child import Command
from scripts.launcher.errors import LaunchError
from scripts.launcher.plan import ROOT

FILES = ROOT / "docker" / "haproxy"
_TEMPLATE = re.compile(r"^( *)server-template (\w+) .*$", re.MULTILINE)
_HASHING = re.compile(r"^( *)balance hdr\(x-conch-session\)$", re.MULTILINE)
_ANSWER_LIMIT_S = 5.0


def find_haproxy(path: str) -> str:
    """Return the program, from the folders of a PATH.

    Raises LaunchError (exit code 2) when it is not installed.
    """
    program = shutil.which("haproxy", path=path)
    if program is None:
        raise LaunchError(
            "There is no haproxy; on Debian or Ubuntu install it with: sudo apt install haproxy",
            exit_code=2,
        )
    return program


def with_servers(text: str, servers: Mapping[str, Sequence[str]]) -> str:
    """Return a file of docker/haproxy with each name's servers in place of its template.

    servers: what follows a server's name, for each name: an address and options.
    """

    def lines(found: re.Match[str]) -> str:
        indent, name = found[1], found[2]
        return "\n".join(
            f"{indent}server {name}{number} {server}"
            for number, server in enumerate(servers[name], start=1)
        )

    return _TEMPLATE.sub(lines, text)


def without_hashing(text: str) -> str:
    """Return the file with requests going round in turn."""
    changed, count = _HASHING.subn(r"\1balance roundrobin", text)
    if count != 1:
        raise LaunchError("docker/haproxy/haproxy.cfg does not balance by x-conch-session.")
    return changed


@dataclass(frozen=True)
class Binds:
    """Where HAProxy listens, on loopback."""

    triton: str
    web: str
    health: str


@dataclass(frozen=True)
class ServerState:
    """A server as HAProxy sees it: UP, DOWN, DRAIN ...; sessions: requests that run there.

    num_broken: requests that it broke off, since HAProxy's last reload.
    """

    status: str
    sessions: int
    num_broken: int


@dataclass(frozen=True)
class HaProxy:
    """One HAProxy of ours: its files and its master's socket are in `folder`."""

    program: str
    folder: Path
    binds: Binds

    def write(self, servers: Mapping[str, Sequence[str]], *, is_hashing: bool) -> None:
        """Write its files."""
        for name in ("haproxy.cfg", "web.cfg"):
            text = with_servers((FILES / name).read_text(encoding="utf-8"), servers)
            if name == "haproxy.cfg" and not is_hashing:
                text = without_hashing(text)
            (self.folder / name).write_text(text, encoding="utf-8")

    def command(self, environ: Mapping[str, str]) -> Command:
        """Return what to run."""
        files = [part for name in ("haproxy.cfg", "web.cfg") for part in ("-f", name)]
        argv = [self.program, "-W", "-S", str(self._socket), "-C", str(self.folder), *files]
        where = {
            "CONCH_TRITON_BIND": self.binds.triton,
            "CONCH_WEB_BIND": self.binds.web,
            "CONCH_HEALTH_BIND": self.binds.health,
        }
        return Command(argv, {**environ, **where})

    async def set_state(self, server: str, state: str) -> None:
        """Let a server (`tritons/triton1`) take new requests ("ready") or none ("drain")."""
        said = await self._ask(f"@1 set server {server} state {state}")
        if said.strip():
            raise LaunchError(f"HAProxy refused {state} of {server}: {said.strip()}")

    async def servers(self) -> dict[str, ServerState]:
        """Return the state of each, by names such as `tritons/triton1`."""
        text = (await self._ask("@1 show stat")).lstrip("# ")
        rows = csv.DictReader(text.splitlines())
        return {
            f"{row['pxname']}/{row['svname']}": ServerState(
                status=row["status"],
                sessions=int(row["scur"] or 0),
                # Over HTTP/1 the first has them all; over HTTP/2 the second (2.6).
                num_broken=max(int(row["eresp"] or 0), int(row["srv_abrt"] or 0)),
            )
            for row in rows
            if row["svname"] not in ("FRONTEND", "BACKEND")
        }

    async def worker_pid(self) -> str:
        """Return which of its processes takes new connections; "" while none does."""
        rows = [line.split() for line in (await self._ask("show proc")).splitlines()]
        return next((row[0] for row in rows if row[1:2] == ["worker"]), "")

    @property
    def _socket(self) -> Path:
        return self.folder / "haproxy.sock"

    async def _ask(self, command: str) -> str:
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                try:
                    writer.write(f"{command}; quit\n".encode())
                    return (await reader.read()).decode()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as exc:
            raise LaunchError(f"HAProxy does not answer: {exc}") from exc
