"""The folder pictures are read from, and the one results are written to."""

from pathlib import Path


class FolderError(OSError):
    """A folder that is not what it should be; the text says so to whoever named it."""


def pictures_of(folder: Path) -> list[Path]:
    """Give the files of a folder in the order of their names; whether they are pictures, the server will say.

    Raises:
        FolderError: There is no such folder, or no file in it.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder} is not a folder")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise FolderError(f"there are no files in {folder}")
    return paths


def make(folder: Path) -> None:
    """Make a folder for results, unless it is there.

    Raises:
        FolderError: Something else has its name, or it must not be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(f"cannot make the folder {folder}: {error.strerror}") from error


def result_path(folder: Path, picture: Path) -> Path:
    """Say where the result of a picture goes: a JPEG, whatever the picture was."""
    is_jpeg = picture.suffix.lower() in {".jpg", ".jpeg"}
    return folder / (picture.name if is_jpeg else f"{picture.name}.jpg")
