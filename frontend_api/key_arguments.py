"""The command line of `python -m frontend_api keys`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Final, cast

from frontend_api.arguments import Parser, add_config
from frontend_api.domain.keys import (
    DEFAULT_SCOPES,
    MAX_LIMIT,
    MAX_NAME_CHARS,
    MAX_WEIGHT,
    OWNER,
    SCOPES,
    Scope,
)
from frontend_api.service.keys import DEFAULT_OVERLAP_S, MAX_OVERLAP_S

_LIMITS: Final = {
    "--requests-per-minute": "generations in any sixty seconds",
    "--tokens-per-minute": "tokens of prompts and answers in any sixty seconds",
    "--tokens-per-day": "the same for a day (UTC)",
    "--parallel-requests": "generations at a time",
}
_EXAMPLES: Final = """\
examples:
  python -m frontend_api keys create --name laptop --owner alice
  python -m frontend_api keys create --name guest --requests-per-minute 20 --tokens-per-day 100000
  python -m frontend_api keys create --name prometheus --scopes metrics --expires-in-days 365
  python -m frontend_api keys limit 0123456789ab --requests-per-minute 60 --tokens-per-day none
  python -m frontend_api keys list
  python -m frontend_api keys rotate 0123456789ab --overlap-seconds 3600

create and rotate print the key, once, as the only thing on standard output.
"""


def read_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return action and what belongs to it; ends the process when something is wrong."""
    parser = _Parser(
        prog="frontend_api keys",
        description="Make, limit, rotate, revoke and show API keys, in the configured database.",
    )
    actions = parser.add_subparsers(dest="action", required=True, parser_class=_Parser)
    _add_create(actions.add_parser("create", help="make a key and print it, once"))
    add_config(actions.add_parser("list", help="list all keys, without their secrets"))
    for name, purpose in (("describe", "show one key"), ("revoke", "let nobody in with it again")):
        one = actions.add_parser(name, help=purpose)
        one.add_argument("id", help="the id of the key, the part between ck_ and the next _")
        add_config(one)
    _add_limit(actions.add_parser("limit", help="change the limits of a key that are given"))
    _add_rotate(actions.add_parser("rotate", help="give a key a new secret and print it, once"))
    return parser.parse_args(argv)


class _Parser(Parser):
    """Shows the examples under every action."""

    def __init__(self, *, prog: str, description: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )


def _add_create(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--name", type=_name, required=True, help="what people call it")
    add("--owner", type=_owner, help="keys of one owner see the same sessions")
    add(
        "--scopes",
        type=_scopes,
        default=DEFAULT_SCOPES,
        help=f"of {', '.join(SCOPES)}, parted by commas (default: {','.join(DEFAULT_SCOPES)})",
    )
    add("--models", type=_models, help="the models it may use, parted by commas (default: all)")
    add("--expires-in-days", type=_days, help="how long it is good (default: for ever)")
    _add_limits(parser)
    add_config(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """Add those that are not given to no result at all."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    for option, what in _LIMITS.items():
        add(option, type=_limit, help=f"{what}; none: the server's limit, if it has one")
    what = "its part of a busy model, beside those of other keys; at first 1"
    add("--priority-weight", type=_weight, help=what)


def _add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the id of the key")
    _add_limits(parser)
    add_config(parser)


def _add_rotate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the id of the key")
    parser.add_argument(
        "--overlap-seconds",
        type=_overlap,
        default=DEFAULT_OVERLAP_S,
        help=f"how long the old one stays good beside the new (default: {DEFAULT_OVERLAP_S})",
    )
    add_config(parser)


def _name(text: str) -> str:
    if not 0 < len(text) <= MAX_NAME_CHARS or not text.isprintable():
        raise argparse.ArgumentTypeError(f"expected 1 to {MAX_NAME_CHARS} printable characters")
    return text


def _owner(text: str) -> str:
    if not OWNER.fullmatch(text):
        raise argparse.ArgumentTypeError("expected letters, digits or any of _ . @ : + -")
    return text


def _scopes(text: str) -> tuple[Scope, ...]:
    named = tuple(dict.fromkeys(text.split(",")))
    unknown = [name for name in named if name not in SCOPES]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"there is no scope '{unknown[0]}', only {', '.join(SCOPES)}"
        )
    return cast(tuple[Scope, ...], named)


def _models(text: str) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(text.split(",")))
    if not all(named):
        raise argparse.ArgumentTypeError("a name is empty")
    return named


def _days(text: str) -> float:
    return _between(text, 0, 36_500)


def _overlap(text: str) -> float:
    return _between(text, 0, MAX_OVERLAP_S, may_be_zero=True)


def _between(text: str, low: float, high: float, *, may_be_zero: bool = False) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high or (number == 0 and not may_be_zero):
        raise argparse.ArgumentTypeError(f"'{text}' is no number up to {high}")
    return number


def _limit(text: str) -> int | None:
    return None if text == "none" else _whole(text, MAX_LIMIT)


def _weight(text: str) -> int:
    return _whole(text, MAX_WEIGHT)


def _whole(text: str, high: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1 to {high}")
    return int(text)
