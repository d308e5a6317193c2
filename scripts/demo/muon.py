"""Muon: momentum whose steps are made orthogonal, for the matrices inside the layers.

How it works: the momentum of a matrix is brought close to the nearest orthogonal
matrix by five rounds of a fifth-degree polynomial (Newton-Schulz; Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon), so that all directions learn alike.
torch.optim.Muon does this in bf16, which a CPU without bf16 instructions has to
emulate: 1.3 s a step against 0.5 s here, in fp32 and with matrices of one shape together.
"""

from collections.abc import Sequence
from typing import Final

import torch

_ROUNDS: Final = 5
_POLYNOMIAL: Final = (3.4445, -4.7750, 2.0315)
_MOMENTUM: Final = 0.95
# Gives a step AdamW's size (Liu et al. 2025, "Muon is scalable"), so that both take one rate.
_LIKE_ADAM: Final = 0.2


class Muon:
    """Optimizer of 2-D weights."""

    def __init__(self, weights: Sequence[torch.nn.Parameter], weight_decay: float) -> None:
        self._weights = weights
        self._weight_decay = weight_decay
        self._speeds = [torch.zeros_like(weight) for weight in weights]

    def step(self, rate: float) -> None:
        """Move the weights along their gradients, and clear the gradients."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for place, weight in enumerate(self._weights):
            alike.setdefault(tuple(weight.shape), []).append(place)
        with torch.no_grad():
            for places in alike.values():
                self._step_alike(places, rate)

    def state(self) -> list[torch.Tensor]:
        """Return what `restore` takes."""
        return self._speeds

    def restore(self, state: list[torch.Tensor]) -> None:
        """Go on from a saved state."""
        self._speeds = state

    def _step_alike(self, places: Sequence[int], rate: float) -> None:
        steps = []
        for place in places:
            speed, gradient = self._speeds[place], self._weights[place].grad
            speed.lerp_(gradient, 1 - _MOMENTUM)
            steps.append(torch.lerp(gradient, speed, _MOMENTUM))  # Nesterov's look ahead
        scale = rate * _LIKE_ADAM * max(steps[0].shape) ** 0.5
        for place, step in zip(places, orthogonal(torch.stack(steps)), strict=True):
            weight = self._weights[place]
            weight.mul_(1 - rate * self._weight_decay).add_(step, alpha=-scale)
            weight.grad = None


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Return matrices [n, rows, columns] with all singular values brought close to 1."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = _POLYNOMIAL
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if is_tall else x
