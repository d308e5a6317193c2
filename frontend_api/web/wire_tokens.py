"""The bodies of POST /tokenize and POST /detokenize, in the shapes vLLM made customary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Self

import orjson
from pydantic import AfterValidator, Field, model_validator

from frontend_api.domain.generation import ChatPrompt, Prompt, TextPrompt
from frontend_api.service.tokens import TokenizeRequest
from frontend_api.web.validation import MISSING, refused
from frontend_api.web.wire_base import JsonObject, Unsupported, Wire
from frontend_api.web.wire_chat import Messages
from frontend_api.web.wire_tools import Tools, check_names_differ, tools_json

_MAX_INT32: Final = 2**31 - 1
_ONLY_ONE: Final = "Invalid parameter: only one of 'prompt' and 'messages' is allowed."
_ONLY_CHAT: Final = "Invalid parameter: '{param}' is only allowed with 'messages'."
_OF_A_CHAT: Final = ("tools", "add_generation_prompt", "chat_template_kwargs")

ModelName = Annotated[str, Field(min_length=1, max_length=256)]
TokenId = Annotated[int, Field(ge=0, le=_MAX_INT32)]


class TokenizeIn(Wire):
    """A text, or a conversation as the model's chat template writes it, to be split."""

    model: ModelName
    prompt: str | None = None
    messages: Messages | None = None
    tools: Annotated[Tools, AfterValidator(check_names_differ)] | None = None
    add_generation_prompt: bool | None = None
    chat_template_kwargs: JsonObject | None = None
    add_special_tokens: bool | None = None
    return_token_strs: bool | None = None
    chat_template: Unsupported = None
    continue_final_message: Unsupported = None
    mm_processor_kwargs: Unsupported = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if self.messages is None:
            if self.prompt is None:
                raise refused(MISSING, "missing_required_parameter", at="prompt")
            if given := [name for name in _OF_A_CHAT if getattr(self, name) is not None]:
                raise refused(_ONLY_CHAT, "invalid_value", at=given[0])
        elif self.prompt is not None:
            raise refused(_ONLY_ONE, "invalid_value", at="prompt")
        return self

    def to_domain(self) -> TokenizeRequest:
        """Return what this asks for."""
        return TokenizeRequest(
            model=self.model,
            prompt=self._prompt(),
            has_special_tokens=self.add_special_tokens,
            has_texts=bool(self.return_token_strs),
        )

    def _prompt(self) -> Prompt:
        if self.messages is None:
            return TextPrompt(self.prompt or "")
        kwargs = self._template_kwargs()
        return ChatPrompt(
            tuple(message.to_domain() for message in self.messages),
            tools=tools_json(self.tools) if self.tools else "",
            template_kwargs=orjson.dumps(kwargs).decode() if kwargs else "",
        )

    def _template_kwargs(self) -> Mapping[str, object]:
        """The template's own variable says whether it opens the assistant's turn."""
        kwargs = self.chat_template_kwargs or {}
        if self.add_generation_prompt is None:
            return kwargs
        return {**kwargs, "add_generation_prompt": self.add_generation_prompt}


class DetokenizeIn(Wire):
    """Token ids, to be text again."""

    model: ModelName
    tokens: Annotated[list[TokenId], Field(fail_fast=True)]
