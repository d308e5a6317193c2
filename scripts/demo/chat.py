"""The demo model's chat format, ChatML.

CHAT_TEMPLATE is what is shipped and what servers apply; `render` builds the
same text in pieces so that training knows which of them the model wrote
(test_pieces_join_to_what_the_chat_template_renders).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

TURN_START: Final = "<|im_start|>"
TURN_END: Final = "<|im_end|>"
TEXT_END: Final = "<|endoftext|>"
SPECIAL_TOKENS: Final = (TEXT_END, TURN_START, TURN_END)

# Functions are offered and called in the Hermes format. The model was not trained on it: it calls
# one only when the request forces it to.
CHAT_TEMPLATE: Final = """\
{%- set first = messages[0] -%}
{%- set has_system = first['role'] in ['system', 'developer'] -%}
{%- if tools -%}
{{- '<|im_start|>system\\n' -}}
{%- if has_system and first['content'] -%}
{{- first['content'] + '\\n\\n' -}}
{%- endif -%}
{{- 'You can call these functions:\\n<tools>\\n' -}}
{%- for tool in tools -%}
{{- tool | tojson + '\\n' -}}
{%- endfor -%}
{{- '</tools>\\nTo call one, write its name and arguments like this:\\n<tool_call>\\n' -}}
{{- '{"name": "function", "arguments": {}}\\n</tool_call><|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
{%- set role = 'system' if message['role'] == 'developer' else message['role'] -%}
{%- if tools and loop.first and has_system -%}
{%- elif role == 'tool' -%}
{{- '<|im_start|>user\\n<tool_response>\\n' + message['content'] -}}
{{- '\\n</tool_response><|im_end|>\\n' -}}
{%- else -%}
{{- '<|im_start|>' + role + '\\n' + (message['content'] or '') -}}
{%- for call in message['tool_calls'] or [] -%}
{{- '\\n<tool_call>\\n{"name": ' + call['function']['name'] | tojson -}}
{{- ', "arguments": ' + call['function']['arguments'] | tojson + '}\\n</tool_call>' -}}
{%- endfor -%}
{{- '<|im_end|>\\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Turn:
    """One message of a dialogue."""

    role: Role
    text: str


@dataclass(frozen=True)
class Piece:
    """Text of a rendered dialogue; `is_learned` marks what the model has to write itself."""

    text: str
    is_learned: bool


Dialogue = Sequence[Turn]


def render(dialogue: Dialogue) -> Iterator[Piece]:
    """Yield the dialogue as ChatML; only answers and the token that ends them are learned."""
    for turn in dialogue:
        is_answer = turn.role == "assistant"
        yield Piece(f"{TURN_START}{turn.role}\n", is_learned=False)
        yield Piece(f"{turn.text}{TURN_END}", is_learned=is_answer)
        yield Piece("\n", is_learned=False)


def prompt(dialogue: Dialogue) -> str:
    """Return the text after which the model writes the next answer."""
    return "".join(piece.text for piece in render(dialogue)) + f"{TURN_START}assistant\n"
