"""Our MessagePack extension types (docs/format.md), and the error of bytes that are not of this format."""

from __future__ import annotations

TIMESTAMP, TUPLE, SET, BIGINT, DECIMAL, DATE, TIME, UUID_, COMPLEX, PATH, ARRAY, NAMED, UNDEFINED, DEFAULT = (
    -1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
)  # fmt: skip


class Malformed(Exception):
    """Bytes that are not one value of ours."""
