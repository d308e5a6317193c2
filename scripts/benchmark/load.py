"""The load every step gets: the same prompts, the same number of tokens, the same streams."""

from collections.abc import Sequence
from dataclasses import dataclass

# Distinct at the start, so that a prefix cache serves no step better than another.
_QUESTION = (
    "<|im_start|>user\nStream {number}: what is Conch, and how does a request travel?<|im_end|>\n"
    "<|im_start|>assistant\n"
)


@dataclass(frozen=True)
class Load:
    """`streams` requests side by side, each of exactly `tokens` tokens, in round `number`."""

    model: str
    streams: int
    tokens: int
    number: int

    def prompts(self) -> Sequence[str]:
        """Return one raw prompt per stream."""
        first = self.number * self.streams
        return [_QUESTION.format(number=first + index) for index in range(self.streams)]
