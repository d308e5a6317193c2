"""Templates that open the `<think>` block themselves, in the ways known models do."""

import pytest

from triton_backend.llm.chat_template import ChatTemplate
from triton_backend.llm.thinking import opens_thinking

TURN = "{% for m in messages %}<|user|>{{ m.content }}{% endfor %}<|assistant|>"
OFF = "enable_thinking is defined and enable_thinking is false"
TEMPLATES: dict[str, tuple[str, tuple[bool | None, ...]]] = {
    "the model opens it": (TURN, ()),
    "always opened": (TURN + "<think>\n", (None, True, False)),
    "closed at once when switched off": (
        TURN + "{% if " + OFF + " %}<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}",
        (None, True),
    ),
    "opened only when switched on": (
        TURN + "{% if enable_thinking %}<think>{% else %}</think>{% endif %}",
        (True,),
    ),
    "named before the turn only": ("Think in <think>.\n" + TURN, ()),
    "refuses what it is asked": ("{{ raise_exception('a system message is needed') }}", ()),
}


@pytest.mark.parametrize(("source", "expected"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_prompt_that_ends_inside_the_block_is_noticed(
    source: str, expected: tuple[bool | None, ...]
) -> None:
    assert opens_thinking(ChatTemplate(source)) == expected
