from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Note(_message.Message):
    __slots__ = ("text", "payload", "number", "size")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    text: str
    payload: bytes
    number: int
    size: int
    def __init__(self, text: _Optional[str] = ..., payload: _Optional[bytes] = ..., number: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...
