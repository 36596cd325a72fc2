"""Objects with more than their fields: all that an instance holds is part of its key, and of its stored value."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import enum
import functools
import pathlib
import typing
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import attrs
import pydantic
import pytest

import twat_cache as tc
from test_keys_of_libraries import all_differ, key
from twat_cache._serialize.values import Codec, Foreign
from twat_cache.exceptions import CacheKeyError

T = typing.TypeVar("T")


@dataclasses.dataclass
class Point:
    x: int


class Labelled(Point):
    def __init__(self, x, label):
        super().__init__(x)
        self.label = label


@dataclasses.dataclass
class Started(Point):
    seed: dataclasses.InitVar[int] = 0

    def __post_init__(self, seed):
        self.made_from = seed


@dataclasses.dataclass(frozen=True)
class Hidden:
    x: int
    note: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass
class Slotted:
    __slots__ = ("x",)
    x: int


class MoreSlots(Slotted):
    __slots__ = ("y",)


@dataclasses.dataclass
class Box(typing.Generic[T]):
    x: typing.Any


@dataclasses.dataclass
class InDict(dict):
    x: int = 0


class Pair(typing.NamedTuple):
    a: int
    b: int


class NotedPair(Pair):
    pass


class Colour(enum.Enum):
    RED = 1
    ROUGE = 1  # noqa: PIE796 - an alias
    BLUE = 2


class Perm(enum.Flag):
    R = 1
    W = 2
    X = 4


class Loose(enum.IntFlag):
    A = 1
    B = 2


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    x: int
    y: int = 0
    _secret: int = pydantic.PrivateAttr(default=0)


class Child(Model):
    pass


@attrs.define
class Thin:
    x: int
    _y: int = 0


@attrs.define(eq=False, slots=False)
class Same:
    x: int


@attrs.frozen(cache_hash=True)
class Hashed:
    x: str


def made(kind, **attributes):
    value = kind.__new__(kind)
    for name, item in attributes.items():
        object.__setattr__(value, name, item)
    return value


def with_secret(model, secret):
    model._secret = secret
    return model


def test_every_attribute_of_an_instance_is_part_of_its_key():
    point = Point(1)
    point.more = 2
    deep = MoreSlots(1)
    deep.y = 2
    all_differ([
        Point(1), Point(2), point, Labelled(1, "a"), Labelled(1, "b"), Started(1, 5), Started(1, 6), Hidden(1, "a"), Hidden(1, "b"),
        Slotted(1), MoreSlots(1), deep, Box(1), Box[int](1), Box[str](1), made(Point), made(Slotted), Pair(1, 2), (1, 2), [1, 2],
        NotedPair(1, 2), {"x": 1},
    ])  # fmt: skip
    all_differ([
        Model(x=1), Model(x=1, y=0), Model(x=1, y=1), Model(x=1, z=1), Model(x=1, z=2), with_secret(Model(x=1), 1), Child(x=1),
        Model.model_construct(x="1"), Model.model_construct(),
        Thin(1), Thin(2), Thin(1, 1), Same(1), Same(2), Hashed("a"), Hashed("b"), made(Thin),
    ])  # fmt: skip
    hashed = Hashed("a")
    hash(hashed)
    assert key(hashed) == key(Hashed("a"))


def test_members_of_enums_and_flags_are_told_apart():
    all_differ([
        Colour.RED, Colour.BLUE, "RED", 1, Perm.R, Perm.R | Perm.W, Perm.R | Perm.X, Perm(0), Loose.A, Loose(5), Loose(9), Loose(8), Loose(0),
    ])  # fmt: skip
    for value in (Perm.R | Perm.W, Perm(0), Loose(9), Loose.A, Colour.ROUGE):
        data = Codec("msgpack").encode(b"", value)
        assert Codec().decode(b"", data) is value


def test_two_classes_of_one_qualified_name_are_never_taken_for_each_other():
    def local():
        @dataclasses.dataclass
        class Local:
            x: int

        return Local

    impostor = type("Point", (Point,), {"__module__": __name__, "__qualname__": "Point"})
    functional = enum.Enum("Colour", "RED BLUE", module=__name__)
    created = pydantic.create_model("Model", x=(int, 1), __module__=__name__)
    bad = [
        local()(1),
        impostor(1),
        impostor,
        local(),
        functional.RED,
        created(),
        collections.namedtuple("Pair", "a b", module=__name__)(1, 2),
    ]
    for value in bad:
        with pytest.raises(CacheKeyError, match="name"):
            key(value)
        if _pickles(value):
            assert Codec().encode(b"", value)[0] == 16
    one, two = local(), local()
    f = tc.mcache(lambda x: type(x[0]))
    assert f([one(1)]) is one and f([two(1)]) is two
    g = tc.mcache(lambda x: type(x))
    assert g(one(1)) is one and g(two(1)) is two and g.cache_info().misses == 2
    assert g(one(1)) is one and g.cache_info().hits == 1


def _pickles(value):
    import pickle

    try:
        pickle.dumps(value)
    except Exception:
        return False
    return True


def test_what_holds_more_than_attributes_is_refused():
    for value in (InDict(1), tuple.__new__(Pair, (1, 2, 3)), SimpleNamespace(x=1)):
        with pytest.raises(CacheKeyError):
            key(value)
    noted = NotedPair(1, 2)
    noted.note = "own"
    with pytest.raises(CacheKeyError, match="more than its fields"):
        key(noted)


def test_generic_aliases_and_classes_are_told_apart():
    all_differ([
        Box[int], Box[str], Box, list[int], list[str], list, getattr(typing, "List")[int], dict[str, int], int | None, int | str,
        typing.Literal[1], typing.Literal["1"], typing.Annotated[int, 1], typing.Annotated[int, 2], typing.Any, int, bool, type(None),
    ])  # fmt: skip


def test_standard_types_are_told_apart_from_their_likes():
    tokyo = ZoneInfo("Asia/Tokyo")
    all_differ([
        b"x", bytearray(b"x"), memoryview(b"x"), "x", {1}, frozenset([1]), [1], (1,), range(1), range(0, 2, 1), slice(1), ..., array.array("b", [1]),
        collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1), {"a": 1, "b": 2}, collections.Counter(a=1, b=2),
        collections.defaultdict(int, a=1, b=2), collections.defaultdict(list, a=1, b=2), collections.deque([1]), collections.deque([1], 5),
        pathlib.PurePosixPath("x"), pathlib.PureWindowsPath("x"), pathlib.Path("x"),
        dt.timezone.utc, dt.timezone(dt.timedelta(0), "Z"), tokyo, dt.timezone(dt.timedelta(hours=9)),
    ])  # fmt: skip


def test_times_that_are_equal_as_instants_are_told_apart():
    zones = [
        dt.timezone.utc,
        ZoneInfo("UTC"),
        ZoneInfo("Asia/Tokyo"),
        ZoneInfo("Asia/Seoul"),
        dt.timezone(dt.timedelta(hours=9)),
        dt.timezone(dt.timedelta(hours=9), "JST"),
    ]
    noon = dt.datetime(2020, 1, 1, 12, tzinfo=dt.timezone.utc)
    paris = ZoneInfo("Europe/Paris")
    twice, never = dt.datetime(2021, 10, 31, 2, 30), dt.datetime(2021, 3, 28, 2, 30)
    values = [
        *(noon.astimezone(zone) for zone in zones), noon.replace(tzinfo=None), twice, twice.replace(fold=1), twice.replace(tzinfo=paris),
        twice.replace(tzinfo=paris, fold=1), never.replace(tzinfo=paris), never.replace(tzinfo=paris, fold=1), dt.datetime(2021, 3, 28, 3, 30, tzinfo=paris),
        dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-1))), dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))),
        dt.datetime.max.replace(tzinfo=ZoneInfo("America/New_York")), dt.datetime.max, dt.datetime.max.replace(tzinfo=dt.timezone.utc), noon.replace(fold=1),
        dt.time(12), dt.time(12, fold=1), dt.time(12, tzinfo=paris), dt.time(12, tzinfo=zones[4]), dt.time(12, tzinfo=zones[5]), dt.time(12, tzinfo=dt.timezone.utc),
    ]  # fmt: skip
    all_differ(values)
    for value in values:
        back = Codec().decode(b"", Codec("msgpack").encode(b"", value))
        assert (back.isoformat(), back.fold, repr(back.tzinfo)) == (value.isoformat(), value.fold, repr(value.tzinfo))


@pytest.mark.parametrize(
    "value",
    [
        Point(1),
        Hidden(1, "a"),
        Slotted(1),
        Pair(1, 2),
        Model(x=1, z=[1]),
        with_secret(Child(x=1), 5),
        Thin(1, 2),
        Same(1),
        Hashed("a"),
    ],
    ids=repr,
)
def test_objects_are_stored_as_data_and_come_back_whole(value):
    back = Codec().decode(b"", Codec("msgpack").encode(b"", value))
    assert type(back) is type(value) and key(back) == key(value) and (back == value or type(value) is Same)


@pytest.mark.parametrize(
    "value", [Labelled(1, "a"), Started(1, 5), Box[int](1), made(Point)], ids=lambda value: type(value).__name__
)
def test_what_is_more_than_its_fields_is_pickled(value):
    data = Codec().encode(b"", value)
    back = Codec().decode(b"", data)
    assert data[0] == 16 and type(back) is type(value) and vars(back) == vars(value)


def test_a_field_that_was_renamed_or_an_alias_is_a_miss(monkeypatch):
    import sys

    module = sys.modules[__name__]
    written = [Codec().encode(b"", value) for value in (Point(1), Thin(1), Model(x=1), Colour.RED)]
    monkeypatch.setattr(module, "Point", dataclasses.make_dataclass("Point", ["z"]))
    monkeypatch.setattr(module, "Thin", attrs.make_class("Thin", ["z"]))
    monkeypatch.setattr(module, "Model", pydantic.create_model("Model", z=(int, 1)))
    monkeypatch.setattr(module, "Colour", enum.Enum("Colour", {"ROUGE": 1, "RED": 1}))
    for data in written:
        with pytest.raises(Foreign, match="not what it was"):
            Codec().decode(b"", data)


def test_computed_properties_are_no_reason_to_refuse():
    @functools.lru_cache
    def twice(x):
        return 2 * x

    assert key(Point(twice(1))) == key(Point(2))


class Text(str):
    pass


class Tagged(str):
    __slots__ = ("tag",)


class Whole(int):
    pass


class Row(tuple):
    __slots__ = ()


class Rows(list):
    pass


class Map(dict):
    def items(self):
        return []


class Day(dt.date):
    pass


def tagged(text, tag):
    value = Tagged(text)
    value.tag = tag
    return value


def noted(value, note):
    value.note = note
    return value


def test_subclasses_of_types_with_a_form_have_one():
    all_differ([
        Text("a"), "a", noted(Text("a"), 1), noted(Text("a"), 2), Tagged("a"), tagged("a", 1), tagged("a", 2), Whole(1), 1, noted(Whole(1), 1), Row((1,)),
        (1,), Rows([1]), [1], noted(Rows([1]), 1), Map(a=1), Map(a=2), {"a": 1}, Day(2020, 1, 1), dt.date(2020, 1, 1), noted(Day(2020, 1, 1), 1),
    ])  # fmt: skip


def test_dates_of_a_stopped_clock_are_arguments_too():
    freezegun = pytest.importorskip("freezegun")
    real = dt.date(2020, 1, 1)
    before = key(real)
    with freezegun.freeze_time("2020-01-01 12:00"):
        assert key(real) == before == key(dt.date.today())
        all_differ([dt.date.today(), dt.datetime.now(), dt.datetime.now(dt.timezone.utc)])


@pytest.mark.parametrize(
    "wrap", [float, lambda x: [x], lambda x: {"a": x}, lambda x: complex(x, 1.0), lambda x: (1, (x,))]
)
def test_the_two_zeros_of_floats_are_two_keys_where_the_key_is_bytes(wrap, tmp_path):
    f = tc.bcache(folder_name=str(tmp_path), name="sign")(lambda x: repr(x))
    assert f(wrap(0.0)) == repr(wrap(0.0)) and f(wrap(-0.0)) == repr(wrap(-0.0))
    assert f(wrap(0.0)) == repr(wrap(0.0)) and f.cache_info().misses == 2
