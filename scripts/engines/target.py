"""What scripts/build_engine can build for: one module for each target.

A module has `add_arguments(parser)` and `make_plan(options, source) -> BuildPlan`.
"""

import argparse
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol, cast

from scripts.adding.sources import Source

TARGETS: Final[Mapping[str, str]] = {"tensorrt-llm": "scripts.engines.tensorrt_llm"}

Say = Callable[[str], None]


class BuildPlan(Protocol):
    """What will be done for one model."""

    @property
    def disk_bytes(self) -> int:
        """What it writes, half-made files included."""
        ...

    def described(self) -> str:
        """The plan in words and commands, for people."""
        ...

    def require_machine(self) -> None:
        """Raise AddingError when this machine cannot carry the plan out."""
        ...

    def build(self, folder: Path, say: Say) -> None:
        """Make the model (config.pbtxt and `1/`) in this folder; AddingError when it fails."""
        ...


class Target(Protocol):
    """A target's module."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of its own."""
        ...

    def make_plan(self, options: argparse.Namespace, source: Source) -> BuildPlan:
        """The plan; AddingError when what is asked for is impossible."""
        ...


def load_target(name: str) -> Target:
    """The module of a target of TARGETS."""
    return cast(Target, importlib.import_module(TARGETS[name]))
