"""The work on one picture, with Pillow: what a web site does to the photographs it is given."""

import time
from dataclasses import dataclass
from io import BytesIO

from examples.image_service.pillow import Image, ImageFilter, ImageOps, UnidentifiedImageError

SIDE_PIXELS = 1600
"""A result is as large as fits into a square of this side."""

QUALITY = 85

MAX_PIXELS = 64_000_000
"""A small file may unpack to any size; this many take 256 MB while they are worked on."""


class NotAPictureError(ValueError):
    """The bytes are no picture, or none to be worked on; the text says why, to whoever sent them."""


@dataclass(frozen=True)
class Improved:
    """A picture that was worked on."""

    data: bytes
    """As JPEG."""
    image_seconds: float
    """What the work took, from the bytes that came to these."""


def improve(data: bytes) -> Improved:
    """Turn a picture upright, make it smaller, give it contrast, sharpen it.

    Raises:
        NotAPictureError: Pillow cannot read it, or it has more than MAX_PIXELS.
    """
    begin = time.perf_counter()
    picture = _read(data)
    picture.thumbnail((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.LANCZOS)
    picture = ImageOps.autocontrast(picture, cutoff=1)
    picture = picture.filter(ImageFilter.UnsharpMask(radius=2, percent=80))
    written = BytesIO()
    picture.save(written, "JPEG", quality=QUALITY)
    return Improved(written.getvalue(), time.perf_counter() - begin)


def _read(data: bytes) -> Image.Image:
    try:
        with Image.open(BytesIO(data)) as opened:
            pixels = opened.width * opened.height
            if pixels <= MAX_PIXELS:
                return ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError:
        raise NotAPictureError("not a picture in a format that Pillow knows") from None
    except Exception as error:
        raise NotAPictureError(f"a picture that cannot be read: {error}") from error
    raise NotAPictureError(f"a picture of {pixels} pixels; more than {MAX_PIXELS} are not worked on")
