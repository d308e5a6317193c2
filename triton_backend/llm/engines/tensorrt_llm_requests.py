"""Our sequences as requests of the LLM API; every argument by keyword, as their order changes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .protocol import SequenceParams
from .roster import RosterSequence
from .tensorrt_llm_library import Library
from .tensorrt_llm_sampling import guide_arguments, sampling_arguments


class Requests:
    """Makes requests for one model; called on the loop that owns the LLM."""

    def __init__(
        self, library: Library, kind: str, vocab_size: int, adapters: Mapping[str, Path]
    ) -> None:
        self._library = library
        self._kind = kind
        self._vocab_size = vocab_size
        self._adapters = {
            name: (index, path) for index, (name, path) in enumerate(adapters.items(), start=1)
        }

    def submit(self, llm: Any, sequence: RosterSequence) -> Any:
        """Hand a sequence over; its result, to be iterated on this loop."""
        params = sequence.params
        return llm.generate_async(
            inputs=[int(token_id) for token_id in sequence.ids],
            sampling_params=self._sampling_params(params),
            lora_request=self._lora_request(params.sampling.lora_name),
            streaming=True,
        )

    async def warm(self, llm: Any) -> None:
        """Run one token through, so that what cannot run does not load."""
        params = self._library.sampling_params(
            end_id=0, pad_id=0, max_tokens=1, seed=0, top_k=1, ignore_eos=True, detokenize=False
        )
        await llm.generate_async(inputs=[0], sampling_params=params, streaming=False).aresult()

    def _sampling_params(self, params: SequenceParams) -> Any:
        arguments = sampling_arguments(params, self._kind, self._vocab_size)
        if params.sampling.guide is not None:
            guide = self._library.guided_decoding_params(**guide_arguments(params.sampling.guide))
            arguments["guided_decoding"] = guide
        return self._library.sampling_params(**arguments)

    def _lora_request(self, name: str | None) -> Any:
        if name is None:
            return None
        index, path = self._adapters[name]
        return self._library.lora_request(lora_name=name, lora_int_id=index, lora_path=str(path))
