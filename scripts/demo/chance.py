"""Chance that can be repeated: one seed, one sequence."""

import random


class Chance(random.Random):
    """A source of chance for training material; not for secrets."""

    def happens(self, share: float) -> bool:
        """Return True in this share of the calls, 0 to 1."""
        return self.random() < share
