"""What a training of the demo model is made of: sizes, rates and seed."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Recipe:
    """Everything but the corpus that decides the weights."""

    hidden_size: int = 256
    intermediate_size: int = 640
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    context_length: int = 2048
    batch_tokens: int = 2048
    peak_rate: float = 3e-3
    final_share: float = 0.02  # of the peak rate, reached at the end of the training
    warmup_steps: int = 100
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    # Which answer is right shows in its first tokens; its rest is soon known by heart. So most
    # dialogues of one exchange are cut there, and more of them fit into the time.
    short_share: float = 0.93
    short_len: int = 6  # tokens of the answer
    # Against learning the corpus by heart: of the words that are read, how many are tokenized in
    # two parts; and how much of the embeddings is left out in each step.
    broken_share: float = 0.1
    embedding_dropout: float = 0.1
    seed: int = 2026


RECIPE: Final = Recipe()
