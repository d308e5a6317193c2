"""A model's Jinja chat template, rendered in a sandbox with bounds on time and size.

The template comes with the model, so it is not trusted: it reaches no attribute of Python
objects, changes nothing it is given, and stops when it has run or printed too much. Names and
settings are those Hugging Face templates expect (transformers, chat_template_utils.py).
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NoReturn

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .errors import InvalidRequest, LoadError
from .json_values import JsonObject, JsonValue

MAX_RENDER_S: Final = 2.0
MAX_RENDERED_CHARS: Final = 8 * 2**20
_MAX_OPERAND: Final = 2**16
_RESERVED: Final = ("messages", "tools")


class _RaisedByTemplateError(TemplateError):
    """The template called raise_exception: the messages are not what it supports."""


class _OutOfBoundsError(TemplateError):
    """The template ran too long or printed too much."""


class _GenerationBlock(Extension):
    """`{% generation %}` marks the assistant's text for training; serving prints its body."""

    tags = {"generation"}  # noqa: RUF012 - the name and kind that jinja2 reads

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """The block's body in place of the block."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _BoundedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox that also looks at the clock whenever the template reads or calls something."""

    intercepted_binops = frozenset(["*", "**"])

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols", _GenerationBlock],
        )
        self.clock = clock
        self._render = threading.local()

    def start(self) -> None:
        """Start the clock of a render in this thread."""
        self._render.deadline = self.clock() + MAX_RENDER_S

    def check_time(self) -> None:
        """Raise _OutOfBoundsError when this thread's render has run too long."""
        if self.clock() > self._render.deadline:
            raise _OutOfBoundsError(f"it ran longer than {MAX_RENDER_S:g} s")

    def getattr(self, obj: object, attribute: str) -> object:
        """As the sandbox does, in time."""
        self.check_time()
        return super().getattr(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        """As the sandbox does, in time."""
        self.check_time()
        return super().getitem(obj, argument)

    def call(self, context: Context, obj: object, /, *args: object, **kwargs: object) -> object:
        """As the sandbox does, in time."""
        self.check_time()
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """As the sandbox does, with operands that cannot fill the memory."""
        if any(isinstance(one, int | float) and one > _MAX_OPERAND for one in (left, right)):
            raise _OutOfBoundsError(f"{operator} has an operand above {_MAX_OPERAND}")
        return super().call_binop(context, operator, left, right)


class ChatTemplate:
    """A compiled chat template; safe to share between threads."""

    def __init__(
        self,
        source: str,
        special_tokens: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environment = _BoundedEnvironment(clock)
        self._environment.filters["tojson"] = _to_json
        self._environment.globals.update(
            raise_exception=_raise_exception, strftime_now=_strftime_now, **(special_tokens or {})
        )
        self._template = self._environment.from_string(source)

    def render(
        self,
        messages: Sequence[JsonObject],
        tools: Sequence[JsonObject] = (),
        template_kwargs: JsonObject | None = None,
    ) -> str:
        """The prompt of a conversation; InvalidRequest says why the template refused it."""
        kwargs = template_kwargs or {}
        for name in _RESERVED:
            if name in kwargs:
                message = f"chat_template_kwargs may not hold {name}."
                raise InvalidRequest(message, param="chat_template_kwargs")
        variables: JsonObject = {
            "add_generation_prompt": True,
            **kwargs,
            "messages": list(messages),
            "tools": list(tools) or None,
        }
        try:
            return self._render(variables)
        except _RaisedByTemplateError as error:
            raise InvalidRequest(f"The chat template says: {error}", param="messages") from error
        except (SecurityError, RecursionError, MemoryError) as error:
            raise _cannot_render("it does something that is not allowed") from error
        except Exception as error:  # what a template can raise depends on what it reads
            raise _cannot_render(str(error)) from error

    def _render(self, variables: JsonObject) -> str:
        self._environment.start()
        return "".join(self._pieces(variables))

    def _pieces(self, variables: JsonObject) -> Iterator[str]:
        size = 0
        for piece in self._template.generate(variables):
            self._environment.check_time()
            size += len(piece)
            if size > MAX_RENDERED_CHARS:
                raise _OutOfBoundsError(f"it printed more than {MAX_RENDERED_CHARS} characters")
            yield piece


def open_chat_template(folder: Path, name: str | None) -> ChatTemplate | None:
    """The chat template in a version folder; None when the model has none."""
    if name is None:
        return None
    try:
        source = (folder / name).read_text(encoding="utf-8")
        return ChatTemplate(source, _read_special_tokens(folder))
    except FileNotFoundError:
        raise LoadError(f"{folder.parent.name}: {name} is missing.") from None
    except (TemplateSyntaxError, ValueError) as error:
        raise LoadError(f"{folder.parent.name}: {name} cannot be read: {error}.") from error


def _read_special_tokens(folder: Path) -> dict[str, str]:
    """bos_token and the like of tokenizer_config.json, which some templates print."""
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    tokens = {name: value for name, value in config.items() if name.endswith("_token")}
    texts = {
        name: value.get("content") if isinstance(value, dict) else value
        for name, value in tokens.items()
    }
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def _cannot_render(reason: str) -> InvalidRequest:
    message = f"The chat template cannot render these messages: {reason}."
    return InvalidRequest(message, param="messages")


def _raise_exception(message: str) -> NoReturn:
    raise _RaisedByTemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)


def _to_json(value: JsonValue, indent: int | None = None, **options: bool) -> str:
    # Jinja's own filter escapes for HTML, which models were not trained on.
    return json.dumps(value, ensure_ascii=options.get("ensure_ascii", False), indent=indent)
