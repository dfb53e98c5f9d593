from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Request(_message.Message):
    __slots__ = ("text", "count", "blob_bytes", "blob")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    BLOB_BYTES_FIELD_NUMBER: _ClassVar[int]
    BLOB_FIELD_NUMBER: _ClassVar[int]
    text: str
    count: int
    blob_bytes: int
    blob: bytes
    def __init__(self, text: _Optional[str] = ..., count: _Optional[int] = ..., blob_bytes: _Optional[int] = ..., blob: _Optional[bytes] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("text", "blob", "count")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BLOB_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    text: str
    blob: bytes
    count: int
    def __init__(self, text: _Optional[str] = ..., blob: _Optional[bytes] = ..., count: _Optional[int] = ...) -> None: ...
