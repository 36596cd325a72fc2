"""Objects of real libraries as arguments: whatever a function can see of one is part of the key, on disk and in memory."""

from __future__ import annotations

import datetime as dt

import pytest

from twat_cache._identity import call_keys
from twat_cache._identity.hashable import Frozen, _freeze
from twat_cache.exceptions import CacheKeyError

np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")


def key(value):
    return call_keys.encode_call(b"", [value])


def all_differ(values):
    """Each value has a key, the same again, and shares it with no other."""
    keys = [key(value) for value in values]
    assert keys == [key(value) for value in values]
    alike = [(a, b) for i, a in enumerate(values) for j, b in enumerate(values) if i < j and keys[i] == keys[j]]
    assert not alike
    for value in values:
        try:
            hash(value)
        except TypeError:
            assert _freeze(value).__class__ is Frozen


def frame(**options):
    return pd.DataFrame({"v": [1, 2]}, **options)


def attrs(value, **named):
    value.attrs.update(named)
    return value


def categories(order, values=("a", "b"), ordered=False):
    return pd.Series(pd.Categorical(list(values), categories=list(order), ordered=ordered))


def test_labels_of_a_frame_are_part_of_its_key():
    two = pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["x", "y"])
    all_differ([
        frame(), frame().rename_axis("a"), frame().rename_axis("b"), frame().rename_axis("a", axis=1),
        frame(index=[0, 1]), frame(index=pd.Index([0, 1], dtype="int32")), frame(index=["0", "1"]), frame(index=[0.0, 1.0]),
        frame(index=two), frame(index=two.rename(["x", "z"])), frame(index=two.to_flat_index()),
        frame(index=two.set_levels(["a", "b"], level="y").set_levels([1, 2, 3], level="x")),
        frame().set_axis(pd.Index(["v"], name=("v", 1)), axis=1), frame().set_axis(pd.MultiIndex.from_tuples([("v", "")]), axis=1),
        attrs(frame(), unit="m"), attrs(frame(), unit="s"), frame().set_flags(allows_duplicate_labels=False),
        frame().v, frame().v.rename("w"), frame().v.rename(None), frame().index, frame().columns,
        pd.DataFrame({"v": [1, 2], "w": [1, 2]}), pd.DataFrame({"w": [1, 2], "v": [1, 2]}),
    ])  # fmt: skip


def test_dtypes_of_columns_are_part_of_the_key():
    pytest.importorskip("pyarrow")
    of = lambda values, kind: pd.Series(values, dtype=kind)
    all_differ([
        of([1, 2], "int64"), of([1, 2], "int32"), of([1, 2], "Int64"), of([1, None], "Int64"), of([0, None], "Int64").fillna(0),
        of([1, 2], "float64"), of([1, None], "float64"), of([1, 2], "object"), of([1, 2], "Float64"), of([1, 2], "int64[pyarrow]"),
        of([True, False], "bool"), of([True, False], "boolean"), of([True, False], "object"),
        of(["a", "b"], "object"), of(["a", "b"], "string[python]"), of(["a", "b"], "string[pyarrow]"), of(["a", "b"], "str"),
        of(["a", "b"], "category"), of([1, 2], "Sparse[int64]"), of([1, 2], pd.SparseDtype("int64", 1)),
        of([1.0, 2.0], "Sparse[float64]"), pd.Series(pd.arrays.IntervalArray.from_breaks([1, 2, 3])),
        pd.Series(pd.arrays.IntervalArray.from_breaks([1, 2, 3], closed="left")), pd.Series(pd.period_range("2020", periods=2, freq="D")),
        pd.Series(pd.period_range("2020", periods=2, freq="M")), pd.Series(pd.to_timedelta([1, 2], unit="s")),
        of([1, 2], "datetime64[ns]"), of([1, 2], "datetime64[s]"), of([1, 2], "datetime64[ns, UTC]"), of([1, 2], "datetime64[ns, Asia/Tokyo]"),
        of([1, 2], "datetime64[ns, Europe/London]"),
    ])  # fmt: skip


def test_categories_their_order_and_ordered_ness_are_part_of_the_key():
    all_differ([
        categories("ab"), categories("ba"), categories("abc"), categories("cab"), categories("ab", ordered=True), categories("ba", ordered=True),
        categories("ab", "ba"), categories("ab", ["a", None]), categories("ab").dtype, categories("ba").dtype,
        pd.Categorical(["a", "b"]), pd.CategoricalIndex(["a", "b"]), pd.CategoricalIndex(["a", "b"], name="n"),
    ])  # fmt: skip


def test_missing_cells_of_object_columns_are_part_of_the_key():
    of = lambda cell: pd.Series([1, cell], dtype=object)
    all_differ(
        [
            of(None),
            of(float("nan")),
            of(pd.NA),
            of(pd.NaT),
            of(1),
            of(1.0),
            of(True),
            of("1"),
            of(np.int64(1)),
            of((1,)),
            of([1]),
        ]
    )
    all_differ(
        [
            of(np.array([1, 2])),
            of(np.array([2, 1])),
            of(pd.Timestamp(0)),
            of(dt.datetime(1970, 1, 1)),
            of({"a": 1}),
            of(frame()),
        ]
    )
    with pytest.raises(CacheKeyError):
        key(of(object()))


def test_frequency_unit_and_zone_of_times_are_part_of_the_key():
    days = pd.date_range("2020-01-01", periods=3, freq="D")
    all_differ([
        days, days._with_freq(None), days.rename("n"), days.as_unit("s"), days.tz_localize("UTC"), days.tz_localize("Asia/Tokyo"),
        days.to_period(), days - days[0], pd.Series(days), frame().iloc[:2].set_axis(days[:2]), frame().set_axis(days._with_freq(None)[:2]),
    ])  # fmt: skip
    stamp = pd.Timestamp("2020-01-01 12:00")
    utc = pd.Timestamp("2020-01-01 03:00", tz="UTC")
    all_differ([
        stamp, stamp.as_unit("s"), stamp.as_unit("ns"), utc, utc.tz_convert("Asia/Tokyo"), utc.tz_convert("+09:00"), stamp.to_pydatetime(),
        pd.Timedelta(1, "s"), pd.Timedelta(1, "s").as_unit("ms"), dt.timedelta(seconds=1), pd.Period("2020", "Y"), pd.Period("2020-01", "M"),
        pd.Interval(0, 1), pd.Interval(0, 1, closed="left"), pd.NaT, pd.NA, None, float("nan"),
        pd.offsets.Day(1), pd.offsets.Day(2), pd.offsets.MonthEnd(1), pd.offsets.Week(weekday=1), pd.offsets.Week(weekday=2),
    ])  # fmt: skip


def test_subclasses_of_frames_are_refused():
    class Mine(pd.DataFrame):
        _metadata = ("extra",)

    with pytest.raises(CacheKeyError, match="Mine"):
        key(Mine({"a": [1]}))


def test_what_makes_an_array_is_part_of_its_key():
    ma = np.ma.masked_array
    six = np.arange(6)
    struct = lambda **options: np.zeros(2, np.dtype([("a", "i1"), ("b", "i4")], **options))
    filled = ma([1, 2], mask=[0, 1], fill_value=9)
    all_differ([
        ma([1, 2, 3], mask=[0, 0, 1]), ma([1, 2, 3], mask=[1, 0, 0]), ma([1, 2, 3]), ma([1, 2, 3], mask=[0, 0, 0]), np.array([1, 2, 3]),
        filled, ma([1, 2], mask=[0, 1]), ma([1, 3], mask=[0, 1]), ma([1, 2], mask=[0, 1], hard_mask=True), np.ma.masked,
        six.reshape(2, 3), np.asfortranarray(six.reshape(2, 3)), six.reshape(3, 2).T, np.matrix(six.reshape(2, 3)), six,
        np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2), np.ascontiguousarray(np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2)),
        struct(), struct(align=True), struct().view(np.recarray), struct()[0], np.zeros(2, [("a", "i1"), ("c", "i4")]),
        np.zeros(2, {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [0, 0]}), np.zeros(2, {"names": ["a"], "formats": ["i4"], "offsets": [4]}),
        np.zeros(2, [(("title", "a"), "i4")]), np.zeros(2, [("a", "i4")]), np.zeros(2, [("a", "i4", (1,))]), np.zeros(8, "V4"),
        np.array(1.5), np.float64(1.5), 1.5, np.float32(1.5), np.array([1.5]), np.int64(1), np.bool_(True), np.str_("a"), np.bytes_(b"a"),
        np.array([1, 2], ">i4"), np.array([1, 2], "<i4"), np.array([1, 2], "M8[s]"), np.array([1, 2], "M8[ms]"), np.array([1, 2], "m8[s]"),
        np.datetime64(1, "s"), np.datetime64(1, "ms"), np.datetime64(1, "25s"), np.array([1, None], object), np.array([1, float("nan")], object),
        np.array([[1], [2]], object), np.array(["a", "b"]), np.array(["a", "b"], "U5"), np.array([b"a", b"b"]),
        np.array([True, 1.0], object), np.array([1, 1.0], object), np.dtype("i4"), np.dtype("i8"), np.add, np.subtract,
    ])  # fmt: skip
    if hasattr(np.dtypes, "StringDType"):
        of = lambda texts, **options: np.array(texts, np.dtypes.StringDType(**options))
        long = "x" * 1000
        all_differ(
            [
                of(["a", "b"]),
                of(["a", "c"]),
                of([long + "a"]),
                of([long + "b"]),
                of(["a", "b"], na_object=None),
                np.array(["a", "b"]),
            ]
        )
        assert key(of([long + "a"])) == key(of(["".join(["x"] * 1000) + "a"]))


def test_subclasses_of_arrays_with_a_meaning_of_their_own_are_refused(tmp_path):
    class Metres(np.ndarray):
        pass

    marked = np.matrix([1])
    marked.note = "own"
    for value in (np.arange(2).view(Metres), np.ma.masked_array([1]).view(type("M", (np.ma.MaskedArray,), {})), marked):
        with pytest.raises(CacheKeyError):
            key(value)
        with pytest.raises(CacheKeyError):
            _freeze(value)
    path = tmp_path / "a"
    path.write_bytes(bytes(16))
    all_differ([np.memmap(path, "u1", "r"), np.memmap(path, "u1", "r", 4), np.zeros(16, "u1")])
    meta = lambda **named: np.zeros(1, np.dtype("f8", metadata=named))
    all_differ([meta(a=1), meta(a=2), np.zeros(1)])


def test_tables_of_polars_and_pyarrow_go_by_their_content():
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    of = lambda values, kind=None: pl.DataFrame({"a": pl.Series(values, dtype=kind)})
    all_differ([
        of([1, 2]), of([1, 3]), of([1, None]), of([1, 2], pl.Int32), of([1.0, 2.0]), of(["1", "2"]), of(["1", "2"], pl.Categorical),
        of(["1", "2"], pl.Enum(["1", "2"])), of(["1", "2"], pl.Enum(["2", "1"])), of([1, 2]).rename({"a": "b"}), pl.Series("a", [1, 2]),
        pl.Series("b", [1, 2]), of([dt.datetime(2020, 1, 1)]), of([dt.datetime(2020, 1, 1)], pl.Datetime("ms")),
        of([dt.datetime(2020, 1, 1)], pl.Datetime("us", "Asia/Tokyo")), of([]), of([], pl.String), pl.DataFrame(), pl.Int32(), pl.Int64(),
        of([1.0, float("nan")]), of([1.0, None]), of([[1], [2]]), of([{"x": 1}, {"x": 2}]),
    ])  # fmt: skip
    assert key(pl.concat([of([1]), of([2])])) == key(of([1, 2])) == key(of([0, 1, 2])[1:])
    with pytest.raises(CacheKeyError, match="objects"):
        key(pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}))
    with pytest.raises(CacheKeyError):
        key(of([1]).lazy())
    plain = pa.table({"a": [1, 2]})
    all_differ([
        plain, pa.table({"a": [1, 3]}), pa.table({"b": [1, 2]}), pa.table({"a": [1, None]}), pa.table({"a": pa.array([1, 2], pa.int32())}),
        plain.replace_schema_metadata({"k": "v"}), plain.schema, plain.schema.field("a"), pa.int64(), pa.int32(), pa.array([1, 2]), pa.array([1, 2], pa.int8()),
        pa.chunked_array([[1, 2]]), pa.chunked_array([[1], [2]]), pa.array(["a", "b"]), pa.array(["a", "b"], pa.large_string()),
        pa.array(["a", "b"]).dictionary_encode(), pa.scalar(1), pa.scalar(2), pa.scalar(1, pa.int8()), pa.scalar(None, pa.int8()), pa.record_batch({"a": [1, 2]}),
    ])  # fmt: skip


def test_sparse_matrices_xarray_and_units_go_by_their_content():
    sp, xr, u = pytest.importorskip("scipy.sparse"), pytest.importorskip("xarray"), pytest.importorskip("astropy.units")
    one, two = np.array([[1.0, 0], [0, 2]]), np.array([[1.0, 0], [0, 3]])
    formats = ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"]
    all_differ([
        *(getattr(sp, f"{name}_array")(one) for name in formats), *(getattr(sp, f"{name}_array")(two) for name in formats),
        *(getattr(sp, f"{name}_matrix")(one) for name in formats), sp.csr_array(one.astype("f4")), sp.csr_array((3, 3)), sp.csr_array((3, 4)),
        sp.coo_array(np.array([1.0, 0, 2])),
    ])  # fmt: skip
    array = xr.DataArray([1, 2], dims="x", coords={"x": [10, 20]}, name="n", attrs={"a": 1})
    all_differ([
        array, array.rename("m"), array.rename(x="y"), array.assign_attrs(a=2), array.assign_coords(x=[10, 21]), array.drop_vars("x"),
        array.assign_coords(z=1), array + 1, array.astype("i4"), array.variable, array.to_dataset(), array.to_dataset().assign_attrs(t=1),
        array.to_dataset().rename(n="m"), array.x, array.drop_indexes("x"), array.assign_coords(x=pd.date_range("2020", periods=2)),
        array.stack(z=["x"]), array.expand_dims("t"),
    ])  # fmt: skip
    all_differ([
        1 * u.m, 1 * u.s, 1 * u.km, 1000 * u.m, [1] * u.m, np.array([1.0]), 1 * u.dimensionless_unscaled, u.m, u.km, u.Unit("1000 m"),
        u.m / 3, u.m * 0.333333, [[1.0, 2], [3, 4]] * u.m, np.asfortranarray([[1.0, 2], [3, 4]]) * u.m,
    ])  # fmt: skip
    with pytest.raises(CacheKeyError):
        key(__import__("astropy.coordinates").coordinates.Longitude([1], unit="deg", wrap_angle="180d"))
