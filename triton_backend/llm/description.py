"""What a served model says about itself: its engine.json and the process it runs in."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Final

from .manifest import EngineManifest

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE: Final = Path("/proc/self/ns/pid")


def describe(manifest: EngineManifest, opens_thinking: Sequence[bool | None]) -> str:
    """The manifest as JSON, and what only the running model can say.

    opens_thinking: see thinking.py. process: by it a client on this machine can watch us;
    Triton 2.51 takes a second to see that a model's process is dead and never ends its streams.
    """
    process = {"namespace": _namespace(), "pid": os.getpid()}
    found = {"opens_thinking": list(opens_thinking), "process": process}
    return json.dumps(asdict(manifest) | found)


@cache
def _namespace() -> str:
    """Names this boot of the machine and this numbering of processes; "" when unknown."""
    try:
        return f"{_BOOT_ID.read_text().strip()}/{_PID_NAMESPACE.readlink()}"
    except OSError:
        return ""
