"""Dates with times as parts of keys and values: the instant, its zone and its fold (docs/format.md).

Two aware date-times that are equal as instants may differ in all that a function
can see of them, so the zone is part of both keys and values.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import Any

from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize.msgpack_format import NAMED, TIME, Malformed
from twat_cache._serialize.msgpack_writer import Encoder, Unencodable

_EPOCH = datetime(1970, 1, 1)
_UTC_EPOCH = _EPOCH.replace(tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def write_datetime(encoder: Encoder, out: bytearray, value: datetime) -> None:
    """Append a date-time: naive as text, UTC as a timestamp, else the timestamp with zone and fold."""
    zone = value.tzinfo
    if zone is None:
        text = value.replace(fold=0).isoformat()
        mp.write_named(encoder, out, "datetime.datetime", [text, 1] if value.fold else text)
        return
    if zone is timezone.utc and not value.fold:
        _write_instant(out, value)
        return
    described = describe_zone(encoder, zone)
    inner = bytearray(b"\x92")
    mp.write_str(encoder, inner, "datetime.datetime")
    exact = _gives_it_back(value)
    inner.append(0x93 if exact else 0x94)
    _write_instant(inner, value)
    encoder.write(inner, described)
    inner.append(value.fold)
    if not exact:
        mp.write_str(encoder, inner, value.replace(tzinfo=None, fold=0).isoformat())
    mp.write_ext(out, NAMED, inner)


def _write_instant(out: bytearray, value: datetime) -> None:
    try:
        since = value - _UTC_EPOCH
    except (TypeError, ValueError, OverflowError):
        raise Unencodable("a time of a zone without an offset") from None
    mp.write_timestamp(out, since.days * 86400 + since.seconds, since.microseconds * 1000)


def _gives_it_back(value: datetime) -> bool:
    """Whether the instant has this local time: no zone has the hour that it skips."""
    if type(value.tzinfo) is timezone:
        return True
    try:
        back = value.astimezone(timezone.utc).astimezone(value.tzinfo)
    except OverflowError:
        return False
    return back.replace(tzinfo=None) == value.replace(tzinfo=None)


def write_time(encoder: Encoder, out: bytearray, value: time) -> None:
    """Append a time of day: ISO text where that says all, else text, zone and fold."""
    zone = value.tzinfo
    unnamed = zone is None or (type(zone) is timezone and _name_of(zone) is None)
    if unnamed and not value.fold:
        mp.write_ext(out, TIME, value.isoformat().encode())
        return
    text = value.replace(tzinfo=None, fold=0).isoformat()
    described = None if zone is None else describe_zone(encoder, zone)
    mp.write_named(encoder, out, "datetime.time", [text, described, value.fold])


def describe_zone(encoder: Encoder, zone: Any) -> Any:
    """A zone as its key, or as offset in microseconds and name."""
    if type(zone) is timezone:
        return [zone.utcoffset(None) // _MICROSECOND, _name_of(zone)]
    zoneinfo = sys.modules.get("zoneinfo")
    if zoneinfo is not None and type(zone) is zoneinfo.ZoneInfo and zone.key is not None:
        return zone.key
    # Readers know no other kinds; keys are not read.
    other = _other_zone(zone) if encoder.canonical else None
    if other is None:
        raise Unencodable(f"a time of a zone of the type {type(zone).__module__}.{type(zone).__qualname__}")
    return other


def _name_of(zone: timezone) -> str | None:
    arguments: tuple[Any, ...] = zone.__getinitargs__()  # type: ignore[attr-defined]
    return arguments[1] if len(arguments) > 1 else None


def _other_zone(zone: Any) -> list[Any] | None:
    """Zones of pytz and dateutil, whose states have public names."""
    kind = type(zone)
    package = kind.__module__.partition(".")[0]
    if package == "pytz" and isinstance(getattr(zone, "zone", None), str):
        shift = getattr(zone, "_utcoffset", None)  # an instance for each offset that the zone ever had
        name = getattr(zone, "_tzname", None)
        return ["pytz", zone.zone, shift // _MICROSECOND if isinstance(shift, timedelta) else None, name]
    if kind.__module__ == "dateutil.tz.tz" and kind.__name__ in ("tzutc", "tzoffset"):
        return ["dateutil", kind.__name__, zone.utcoffset(None) // _MICROSECOND, zone.tzname(None)]
    if kind.__module__ == "dateutil.tz.tz" and kind.__name__ == "tzfile" and zone._filename:
        return ["dateutil", "tzfile", str(zone._filename)]
    return None


def read_timestamp(data: bytes) -> datetime:
    """The date-time of MessagePack's timestamp, in UTC."""
    return (_EPOCH + _since_epoch(data)).replace(tzinfo=timezone.utc)


def read_datetime(data: bytes, decode_here: Callable[[bytes], Any]) -> datetime:
    """The date-time of a named type's fields, of which ``decode_here`` reads those beside the instant."""
    # Its instant may lie outside the calendar of UTC, so that no date-time is made of it before the zone is known.
    size, start = _timestamp_in(data)
    if not size:
        fields = decode_here(data)
        text, fold = fields if type(fields) is list else (fields, 0)
        return datetime.fromisoformat(text).replace(fold=fold)
    since = _since_epoch(data[start : start + size])
    rest = decode_here(bytes((data[0] - 1,)) + data[start + size :])
    zone, fold = _zone(rest[0]), rest[1]
    if len(rest) > 2:
        return datetime.fromisoformat(rest[2]).replace(tzinfo=zone, fold=fold)
    if type(zone) is timezone:
        return (_EPOCH + (since + zone.utcoffset(None))).replace(tzinfo=zone, fold=fold)
    return (_UTC_EPOCH + since).astimezone(zone).replace(fold=fold)


def _timestamp_in(data: bytes) -> tuple[int, int]:
    """The size and the start of the timestamp that is the first of three or four items; 0 if there is none."""
    if data[0] in (0x93, 0x94):
        if data[1] in (0xD6, 0xD7) and data[2] == 0xFF:
            return (4 if data[1] == 0xD6 else 8), 3
        if data[1:4] == b"\xc7\x0c\xff":
            return 12, 4
    return 0, 0


def read_time(fields: Any) -> time:
    """The time of day of a named type's fields."""
    text, zone, fold = fields
    return time.fromisoformat(text).replace(tzinfo=None if zone is None else _zone(zone), fold=fold)


def _zone(described: Any) -> tzinfo:
    if type(described) is str:
        return _named_zone(described)
    offset, name = described
    shift = timedelta(microseconds=offset)
    return timezone(shift) if name is None else timezone(shift, name)


def _named_zone(key: str) -> tzinfo:
    try:
        from zoneinfo import ZoneInfo

        return ZoneInfo(key)
    except (ImportError, LookupError, OSError) as error:
        raise Malformed(f"a time of a zone that is not known here: {key!r}") from error


def _since_epoch(data: bytes) -> timedelta:
    if len(data) == 4:
        return timedelta(seconds=int.from_bytes(data, "big"))
    if len(data) == 8:
        both = int.from_bytes(data, "big")
        nanoseconds, seconds = both >> 34, both & ((1 << 34) - 1)
    elif len(data) == 12:
        nanoseconds = int.from_bytes(data[:4], "big")
        seconds = int.from_bytes(data[4:], "big", signed=True)
    else:
        raise Malformed(f"a timestamp of {len(data)} bytes")
    return timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
