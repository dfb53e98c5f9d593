"""Pictures to work on, made here: a sky over hills in the mist, with the grain of a camera."""

import math
import random
from collections.abc import Iterator
from pathlib import Path

from examples.image_service.pillow import Image, ImageChops, ImageDraw

GRAIN = 40
"""How much noise there is, at most, of 255. Without it the file would be very small, unlike that of a photograph."""

TILE_PIXELS = 512


def photograph(width: int, height: int, seed: int) -> Image.Image:
    """Make a picture; the same one from the same seed."""
    chance = random.Random(seed)
    light = Image.linear_gradient("L").resize((width, height))
    picture = Image.merge("RGB", [light.point(lambda v, base=base: base + v // 3) for base in (70, 100, 150)])
    draw = ImageDraw.Draw(picture)
    for nearness in range(1, 6):
        draw.polygon([*_ridge(width, height, nearness, chance), (width, height), (0, height)], _colour(nearness))
    return ImageChops.add(picture, _grain(width, height, chance))


def write(folder: Path, count: int, width: int, height: int) -> None:
    """Write so many pictures as JPEG."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        photograph(width, height, seed=number).save(folder / f"picture-{number:03}.jpg", quality=88)


def _ridge(width: int, height: int, nearness: int, chance: random.Random) -> Iterator[tuple[float, float]]:
    """Give the points along the top of a row of hills."""
    waves = [(chance.uniform(1, 4) * 2**octave, chance.uniform(0, 7), 0.05 / 1.7**octave) for octave in range(6)]
    for step in range(201):
        rise = sum(part * math.sin(speed * step / 50 + shift) for speed, shift, part in waves)
        yield width * step / 200, height * (0.3 + 0.11 * nearness - rise)


def _colour(nearness: int) -> tuple[int, int, int]:
    return 150 - 26 * nearness, 165 - 22 * nearness, 180 - 30 * nearness


def _grain(width: int, height: int, chance: random.Random) -> Image.Image:
    """Make noise out of one tile of it: to draw a number for every pixel takes seconds."""
    noise = Image.frombytes("L", (TILE_PIXELS, TILE_PIXELS), chance.randbytes(TILE_PIXELS**2))
    tile = noise.point(lambda v: v * GRAIN // 256)
    grain = Image.new("L", (width, height))
    for left in range(0, width, TILE_PIXELS):
        for top in range(0, height, TILE_PIXELS):
            grain.paste(tile, (left, top))
    return Image.merge("RGB", [grain] * 3)
