"""The pictures of the demo, in three sizes."""

from dataclasses import dataclass
from pathlib import Path

from examples.image_service import pictures


@dataclass(frozen=True)
class Album:
    """Pictures of one size."""

    name: str
    width: int
    height: int
    count: int
    """How many: a run takes some seconds at most, and the first, which comes before any work, is a small part of it."""

    def write(self, parent: Path) -> Path:
        """Make them, unless they are there, and give the folder they are in."""
        folder = parent / f"{self.name}-{self.width}x{self.height}"
        if len(list(folder.glob("*.jpg"))) != self.count:
            pictures.write(folder, self.count, self.width, self.height)
        return folder


ALBUMS = [Album("small", 320, 240, 40), Album("medium", 1024, 768, 20), Album("large", 3264, 2448, 10)]
"""The last is what the tutorial had: some 300 ms of work on each."""

TINY = Album("tiny", 64, 48, 8)
"""For a look at whether everything works."""
