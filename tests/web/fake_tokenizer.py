"""A tokenizer that behaves: a token for each character, special ones around a raw text."""

from __future__ import annotations

from collections.abc import Sequence

from frontend_api.domain.errors import BadRequest
from frontend_api.domain.generation import ChatPrompt, Prompt, TextPrompt

BOS, EOS = 1, 2
SPECIAL = {BOS: "<s>", EOS: "</s>"}


class FakeTokenizer:
    """Ids are code points; a conversation is `role:content|` of each turn."""

    def __init__(self, before: Sequence[int] = (BOS,), after: Sequence[int] = ()) -> None:
        self.before, self.after = tuple(before), tuple(after)
        self.prompts: list[Prompt] = []

    async def tokenize(self, model: str, prompt: Prompt) -> Sequence[int]:
        self.prompts.append(prompt)
        ids = self._ids(prompt)
        if not ids:
            raise BadRequest("The prompt is empty.", param="prompt")
        return ids

    async def detokenize(self, model: str, ids: Sequence[int]) -> str:
        unknown = [one for one in ids if one > 0x10FFFF]
        if unknown:
            message = f"{unknown[0]} is not a token id of this model."
            raise BadRequest(message, param="tokens", code="invalid_value")
        return "".join(map(_text, ids))

    def _ids(self, prompt: Prompt) -> Sequence[int]:
        if isinstance(prompt, TextPrompt):
            return (*self.before, *map(ord, prompt.text), *self.after)
        if isinstance(prompt, ChatPrompt):
            text = "".join(f"{m.role}:{m.content}|" for m in prompt.messages)
            return tuple(map(ord, text))
        return prompt.ids


def _text(one: int) -> str:
    is_half_a_character = 0xD800 <= one <= 0xDFFF
    return "\ufffd" if is_half_a_character else SPECIAL.get(one) or chr(one)
