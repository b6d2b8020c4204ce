"""Structs in Thrift's compact protocol, as far as Parquet uses it; only what is wanted of them is kept.

Source: the specification of the compact protocol, in Apache Thrift's repository.
"""

from collections.abc import Mapping
from typing import Any, BinaryIO, Final

Wanted = Mapping[int, Any]
"""The numbers of fields, each with what is wanted of the structs in it, or {}."""

Struct = dict[int, Any]

_DEPTH: Final = 16


def read_struct(file: BinaryIO, wanted: Wanted, depth: int = 0) -> Struct:
    """Read a struct and return the fields that are wanted. Raises ValueError if it is damaged."""
    if depth > _DEPTH:
        raise _damaged()
    fields: Struct = {}
    number = 0
    while byte := _byte(file):
        number = number + (byte >> 4) if byte >> 4 else _zigzag(file)
        inner = wanted.get(number)
        value = _value(file, byte & 15, inner or {}, depth)
        if inner is not None:
            fields[number] = value
    return fields


def natural(struct: Struct, number: int, default: int | None = None) -> int:
    """Return a field that is a whole number, and not below 0. Raises ValueError if there is none."""
    value = struct.get(number, default)
    if isinstance(value, int) and value >= 0:
        return value
    raise _damaged()


def nested(struct: Struct, number: int) -> Struct:
    """Return a field that is a struct. Raises ValueError if there is none."""
    value = struct.get(number)
    if isinstance(value, dict):
        return value
    raise _damaged()


def listed(struct: Struct, number: int) -> list[Struct]:
    """Return a field that is a list of structs. Raises ValueError if there is none."""
    values = struct.get(number)
    if isinstance(values, list) and all(isinstance(value, dict) for value in values):
        return values
    raise _damaged()


def _value(file: BinaryIO, kind: int, wanted: Wanted, depth: int) -> Any:
    match kind:
        case 1 | 2:
            return kind == 1
        case 3:
            return _byte(file)
        case 4 | 5 | 6:
            return _zigzag(file)
        case 7 | 8:
            file.seek(8 if kind == 7 else _varint(file), 1)  # numbers with fractions, and texts, which nobody wants
            return None
        case 9 | 10:
            return _list(file, wanted, depth)
        case 12:
            return read_struct(file, wanted, depth + 1)
    raise _damaged()


def _list(file: BinaryIO, wanted: Wanted, depth: int) -> list[Any]:
    byte = _byte(file)
    size, kind = byte >> 4, byte & 15
    size = _varint(file) if size == 15 else size
    if kind in {1, 2}:
        return [_byte(file) == 1 for _ in range(size)]
    return [_value(file, kind, wanted, depth + 1) for _ in range(size)]


def _zigzag(file: BinaryIO) -> int:
    value = _varint(file)
    return value >> 1 ^ -(value & 1)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = _byte(file)
        value |= (byte & 127) << shift
        if byte < 128:
            return value
    raise _damaged()


def _byte(file: BinaryIO) -> int:
    byte = file.read(1)
    if not byte:
        raise _damaged()
    return byte[0]


def _damaged() -> ValueError:
    return ValueError("what it says of its pages is damaged")
