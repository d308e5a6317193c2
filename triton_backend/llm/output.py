"""Sends what this process prints to where it is logged under its model's name.

Engines' libraries print from C++, so it is done below Python, with the descriptors. Where nobody
listens (in a container Triton's own output is the log) all stays as it is.
"""

import io
import json
import os
import socket
import sys
from collections.abc import Mapping
from typing import Final

# Set by the launcher (scripts/launcher/engine_output.py, which reads the other end).
ADDRESS: Final = "LLM_OUTPUT_SOCKET"
_TIMEOUT_S: Final = 2.0


def name_output(model: str, environ: Mapping[str, str]) -> None:
    """Print to the socket that the environment names, from now on and in child processes."""
    address = environ.get(ADDRESS)
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(address)
            connection.sendall(json.dumps({"model": model}).encode() + b"\n")
            connection.settimeout(None)  # printing waits, as it does in a pipe
            _redirect(connection.fileno())
    except OSError as error:
        print(f"WARNING: the output of {model} cannot be named: {error}", file=sys.stderr)  # noqa: T201


def _redirect(descriptor: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # else lines come late
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
