"""Whether the chat template opens the `<think>` block itself, so that answers begin inside it.

Found by rendering, once, when the model is loaded. `enable_thinking` is the variable with which
templates let a client choose (Qwen3, and what our API sends for `reasoning_effort`).
"""

from typing import Final

from .chat_template import ChatTemplate
from .errors import InvalidRequest
from .json_values import JsonObject

_OPEN: Final = "<think>"
_PROBE: Final[JsonObject] = {"role": "user", "content": "Hi"}


def opens_thinking(template: ChatTemplate) -> tuple[bool | None, ...]:
    """The values of `enable_thinking`, None for none, whose prompts end with an open `<think>`."""
    return tuple(value for value in (None, True, False) if _is_opened(template, value))


def _is_opened(template: ChatTemplate, value: bool | None) -> bool:
    kwargs: JsonObject = {} if value is None else {"enable_thinking": value}
    try:
        prompt = template.render([_PROBE], template_kwargs=kwargs)
    except InvalidRequest:  # it wants other messages or other variables: then nothing is known
        return False
    return prompt.rstrip().endswith(_OPEN)
