"""The use case of /tokenize and /detokenize: what a model makes of a text, and back.

A model adds its special tokens to a raw prompt and none to a conversation, whose template
prints them. A client may wish otherwise: then they are taken off, or put around. Which they
are shows in the model's answer for an empty text, and where they go in that for a short one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from frontend_api.domain.errors import BadRequest
from frontend_api.domain.generation import ChatPrompt, Prompt, TextPrompt
from frontend_api.ports import Tokenizing
from frontend_api.service.served_models import ServedModels

# One short question to the model each.
MAX_TEXTS: Final = 2048
_SHORT: Final = TextPrompt("a")
_EMPTY: Final = TextPrompt("")


@dataclass(frozen=True, slots=True)
class TokenizeRequest:
    """What is to be split; `has_special_tokens` None: as for a generation."""

    model: str
    prompt: Prompt
    has_special_tokens: bool | None = None
    has_texts: bool = False


@dataclass(frozen=True, slots=True)
class Tokenized:
    """The ids, the text of each if that was asked for, and what the model has room for."""

    ids: Sequence[int]
    texts: Sequence[str] | None
    context_length: int | None


class Tokens:
    """Asks the models' own tokenizers."""

    def __init__(self, models: ServedModels, tokenizing: Tokenizing) -> None:
        """Use these; nothing is opened."""
        self._models = models
        self._tokenizing = tokenizing

    async def tokenize(self, asked: TokenizeRequest) -> Tokenized:
        """Return the ids of a prompt; raises a ServiceError when the model cannot say."""
        async with self._models.kept(asked.model) as model:
            asked = replace(asked, model=model.name)
            ids = await self._ids(asked)
            texts = await self._texts(model.name, ids) if asked.has_texts else None
        return Tokenized(ids, texts, model.context_length)

    async def detokenize(self, model: str, ids: Sequence[int]) -> str:
        """Return the text of the ids; raises a ServiceError when the model cannot say."""
        async with self._models.kept(model) as kept:
            return await self._tokenizing.detokenize(kept.name, ids) if ids else ""

    async def _ids(self, asked: TokenizeRequest) -> Sequence[int]:
        ids = await self._plain_ids(asked.model, asked.prompt)
        is_chat = isinstance(asked.prompt, ChatPrompt)
        if asked.has_special_tokens in (None, not is_chat):
            return ids
        before, after = await self._special_ids(asked.model)
        if is_chat:
            return (*before, *ids, *after)
        return ids[len(before) : len(ids) - len(after)]

    async def _plain_ids(self, model: str, prompt: Prompt) -> Sequence[int]:
        try:
            return await self._tokenizing.tokenize(model, prompt)
        except BadRequest:
            # A model refuses an empty prompt, since it could not go on from nothing.
            if prompt != _EMPTY:
                raise
            return ()

    async def _special_ids(self, model: str) -> tuple[Sequence[int], Sequence[int]]:
        """Return what the model puts before and after a text."""
        special = await self._plain_ids(model, _EMPTY)
        if not special:
            return (), ()
        around = await self._tokenizing.tokenize(model, _SHORT)
        pairs = zip(special, around, strict=False)
        num_before = next((at for at, (a, b) in enumerate(pairs) if a != b), len(special))
        return special[:num_before], special[num_before:]

    async def _texts(self, model: str, ids: Sequence[int]) -> Sequence[str]:
        distinct = frozenset(ids)
        if len(distinct) > MAX_TEXTS:
            raise BadRequest(
                f"Invalid 'return_token_strs': the prompt has {len(distinct)} different tokens; "
                f"the text of at most {MAX_TEXTS} can be returned.",
                param="return_token_strs",
                code="array_above_max_length",
            )
        texts = {one: await self._tokenizing.detokenize(model, (one,)) for one in distinct}
        return [texts[one] for one in ids]
