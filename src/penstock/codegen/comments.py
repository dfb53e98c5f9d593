"""Comments of a .proto file, and text made safe to stand in a docstring."""

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence

from google.protobuf.descriptor_pb2 import FileDescriptorProto, ServiceDescriptorProto

__all__ = ["Comments", "docstring_lines"]


class Comments:
    """The comments of one .proto file, found by the place of what they describe.

    A place is the path of field numbers and indexes that leads from the file to a declaration.

    Source: google/protobuf/descriptor.proto, SourceCodeInfo.Location.
    """

    def __init__(self, file: FileDescriptorProto) -> None:
        self._texts: Mapping[tuple[int, ...], str] = {
            tuple(location.path): _plain(location.leading_comments) or _plain(location.trailing_comments)
            for location in file.source_code_info.location
        }

    def service(self, index: int) -> str:
        """Give the comment of a service, or an empty text."""
        return self._texts.get((FileDescriptorProto.SERVICE_FIELD_NUMBER, index), "")

    def method(self, service: int, index: int) -> str:
        """Give the comment of an rpc, or an empty text."""
        path = (FileDescriptorProto.SERVICE_FIELD_NUMBER, service, ServiceDescriptorProto.METHOD_FIELD_NUMBER, index)
        return self._texts.get(path, "")


def docstring_lines(text: str, indent: str) -> Sequence[str]:
    """Give the source lines of a docstring that says `text`, whatever `text` holds.

    Args:
        text: Plain text, one or more lines.
        indent: What stands before every line that is not empty.
    """
    lines = [_escape(line) for line in text.split("\n")]
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    body = [f"{indent}{line}" if line else "" for line in lines[1:]]
    return [f'{indent}"""{lines[0]}', *body, f'{indent}"""']


def _plain(comment: str) -> str:
    """Take off what belongs to the comment's form: the second star of a `/**`, margins, empty ends."""
    lines = [line.rstrip() for line in comment.replace("\r\n", "\n").split("\n")]
    lines[0] = lines[0].removeprefix("*")
    return textwrap.dedent("\n".join(lines)).strip("\n").strip(" ")


def _escape(line: str) -> str:
    """Keep a line from ending the docstring, from being read as escapes, and from hiding what it holds."""
    line = line.replace("\\", "\\\\")
    if '"""' in line or line.endswith('"'):
        line = line.replace('"', '\\"')
    return "".join(_visible(character) for character in line)


def _visible(character: str) -> str:
    # Control characters, and format characters such as those that turn the direction of text ("Trojan source").
    if character == "\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs"}:
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"
