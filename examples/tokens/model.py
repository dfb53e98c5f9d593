"""A stand-in for a language model: it takes its time as one does, and always says the same.

As in a real engine, all generations share one loop. A step reads a part of each new prompt, and makes one token for
each generation whose prompt is read. Its time is a pause here, where a real one waits for its GPU.
"""

import asyncio
import logging
import math
from dataclasses import dataclass

__all__ = ["Generation", "Model"]

logger = logging.getLogger(__name__)

SENTENCE = "A penstock is the gated pipe that carries water under pressure to where it does work."
WORDS = SENTENCE.split()
"""What it says, again and again."""

WORDS_PER_STEP = 8
"""Of a prompt, while it is read."""


@dataclass(eq=False)
class Generation:
    """What the model knows of one answer."""

    max_tokens: int
    unread_steps: int
    """Steps until its prompt is read."""
    made: int = 0
    """Tokens."""

    @property
    def is_over(self) -> bool:
        """It has all its tokens."""
        return self.made >= self.max_tokens


class Model:
    """Makes one token for each live generation and step.

    Args:
        step_seconds: What a step takes, however many generations there are.
    """

    def __init__(self, step_seconds: float) -> None:
        self._step_seconds = step_seconds
        self._live: dict[Generation, None] = {}
        self._somebody = asyncio.Event()

    @property
    def live(self) -> int:
        """Generations that it works for."""
        return len(self._live)

    def begin(self, prompt: str, max_tokens: int) -> Generation:
        """Take on a prompt. Does not wait."""
        generation = Generation(max_tokens, math.ceil(len(prompt.split()) / WORDS_PER_STEP))
        if max_tokens:
            self._live[generation] = None
            self._somebody.set()
        return generation

    def drop(self, generation: Generation) -> None:
        """Make no more tokens for it. Harmless when it is over."""
        if generation in self._live:
            self._remove(generation, "dropped")

    async def step(self) -> list[tuple[Generation, str]]:
        """Give each generation whose prompt is read its next token. Waits while there is none at all."""
        await self._somebody.wait()
        await asyncio.sleep(self._step_seconds)
        tokens = []
        for generation in list(self._live):
            if generation.unread_steps:
                generation.unread_steps -= 1
                continue
            if not generation.made:
                logger.info("begun")
            tokens.append((generation, WORDS[generation.made % len(WORDS)] + " "))
            generation.made += 1
            if generation.is_over:
                self._remove(generation, "finished")
        return tokens

    def _remove(self, generation: Generation, how: str) -> None:
        del self._live[generation]
        if not self._live:
            self._somebody.clear()
        logger.info("%s after %d of %d tokens", how, generation.made, generation.max_tokens)
