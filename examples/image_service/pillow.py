"""What is used of Pillow; a program that has none ends here, with a sentence."""

try:
    from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps, UnidentifiedImageError
except ModuleNotFoundError:
    raise SystemExit(
        "The image service works with Pillow, which this Python does not have.\n"
        "`make setup` installs it into .venv; elsewhere: pip install pillow"
    ) from None

__all__ = ["Image", "ImageChops", "ImageDraw", "ImageFilter", "ImageOps", "UnidentifiedImageError"]
