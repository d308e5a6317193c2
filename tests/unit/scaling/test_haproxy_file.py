"""The fleet's HAProxy file is that of the containers but for addresses."""

import difflib

from scripts.scaling.haproxy import FILES, with_servers, without_hashing

TEXT = (FILES / "haproxy.cfg").read_text(encoding="utf-8")


def changed(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line.startswith(("+ ", "- "))]


def test_only_the_servers_differ_from_the_file_of_the_containers() -> None:
    servers = {"triton": ["127.0.0.1:1 check port 2", "127.0.0.1:3 check port 4"]}

    # Twice: among those that take turns of conversations, and those that take all other calls.
    assert changed(TEXT, with_servers(TEXT, servers)) == 2 * [
        '-     server-template triton 16 "${CONCH_TRITON_HOST}:8001"',
        "+     server triton1 127.0.0.1:1 check port 2",
        "+     server triton2 127.0.0.1:3 check port 4",
    ]


def test_without_hashing_requests_go_round() -> None:
    assert changed(TEXT, without_hashing(TEXT)) == [
        "-     balance hdr(x-conch-session)",
        "+     balance roundrobin",
    ]
