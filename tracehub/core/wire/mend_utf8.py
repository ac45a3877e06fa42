"""Protobuf strings that are not UTF-8: the strict parser refuses the whole message.

This is the slow way round, taken only after a refusal: read the message with a copy of its schema
in which every string is bytes, mend those, and write it again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

from tracehub.core.wire.decoded import REPLACEMENT


def mend(body: bytes, descriptor: Descriptor) -> tuple[bytes, int]:
    """Return `body` with U+FFFD in place of invalid UTF-8, and how many were put in.

    Raises google.protobuf.message.DecodeError when the body is no such message for other reasons.
    """
    message = _lenient_class(descriptor)()
    message.ParseFromString(body)
    replaced = 0
    waiting = [message]
    while waiting:
        current = waiting.pop()
        for field, value in current.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                waiting.extend(value if field.is_repeated else [value])
            elif field.type == FieldDescriptor.TYPE_BYTES and _was_string(field):
                replaced += _mend_field(current, field, value)
    return message.SerializeToString(), replaced


def _mend_field(message: Any, field: FieldDescriptor, value: Any) -> int:
    if field.is_repeated:  # Resource and scope hold such lists: EntityRef.id_keys
        mended = [_utf8(item) for item in value]
        value[:] = [text for text, _ in mended]
        return sum(count for _, count in mended)
    text, count = _utf8(value)
    if count:
        setattr(message, field.name, text)
    return count


def _utf8(value: bytes) -> tuple[bytes, int]:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        before = value.count(REPLACEMENT.encode())
        mended = value.decode("utf-8", "replace")
        return mended.encode(), mended.count(REPLACEMENT) - before
    return value, 0


def _was_string(field: FieldDescriptor) -> bool:
    return field.full_name in _strings(field.containing_type.file.pool)


@lru_cache(maxsize=8)
def _lenient_class(descriptor: Descriptor) -> Any:
    pool = descriptor_pool.DescriptorPool()
    _strings(pool)
    for file in _with_imports(descriptor.file):
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        _strings_to_bytes(proto, _strings(pool))
        pool.Add(proto)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(descriptor.full_name))


@lru_cache(maxsize=8)
def _strings(pool: descriptor_pool.DescriptorPool) -> set[str]:
    """Full names of the fields of a lenient pool that were strings in the original."""
    return set()


def _with_imports(file: FileDescriptor) -> list[FileDescriptor]:
    """The file and all it imports, imports first."""
    found: dict[str, FileDescriptor] = {}
    waiting = [file]
    while waiting:
        current = waiting.pop()
        found.pop(current.name, None)
        found[current.name] = current
        waiting.extend(current.dependencies)
    return list(reversed(found.values()))


def _strings_to_bytes(proto: descriptor_pb2.FileDescriptorProto, strings: set[str]) -> None:
    waiting = [(proto.package, message) for message in proto.message_type]
    while waiting:
        prefix, message = waiting.pop()
        name = f"{prefix}.{message.name}"
        waiting.extend((name, nested) for nested in message.nested_type)
        for field in message.field:
            if field.type == FieldDescriptor.TYPE_STRING:
                field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                strings.add(f"{name}.{field.name}")
