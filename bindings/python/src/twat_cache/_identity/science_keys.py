"""Keys from objects of scipy.sparse, xarray, astropy and torch: their arrays and all that names them."""

from __future__ import annotations

import sys
from typing import Any

from twat_cache._serialize import msgpack_writer as mp
from twat_cache._serialize.msgpack_writer import Encoder, Unencodable


def write(encoder: Encoder, out: bytearray, value: Any) -> bool:
    """Append an object of one of these libraries; whether it was one that is known."""
    found = _DESCRIBE[type(value).__module__.partition(".")[0]](value)
    if found is None:
        return False
    mp.write_named(encoder, out, *found)
    return True


_Found = tuple[str, Any]


# scipy.sparse

_SPARSE = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "coords"),
    "dia": ("data", "offsets"),
    "lil": ("rows", "data"),
}


def _scipy(value: Any) -> _Found | None:
    sparse, kind = sys.modules.get("scipy.sparse"), type(value)
    if sparse is None or getattr(sparse, kind.__name__, None) is not kind or not sparse.issparse(value):
        return None
    name = f"scipy.sparse.{kind.__name__}"
    if value.format == "dok":
        items = [[list(at) if isinstance(at, tuple) else at, item] for at, item in value.items()]
        return name, [list(value.shape), str(value.dtype.str), items]
    parts = [getattr(value, part, None) for part in _SPARSE[value.format]]
    if value.format == "coo" and parts[1] is None:
        parts[1] = (value.row, value.col)
    return name, [list(value.shape), *parts]


# xarray


def _xarray(value: Any) -> _Found | None:
    xarray, kind = sys.modules["xarray"], type(value)
    name = f"xarray.{kind.__name__}"
    if kind is xarray.Variable or kind is getattr(xarray, "IndexVariable", None):
        return name, _variable(value)
    if kind is xarray.DataArray:
        return name, [value.name, _variable(value.variable), _coordinates(value)]
    if kind is xarray.Dataset:
        variables = [[key, _variable(item.variable)] for key, item in value.data_vars.items()]
        return name, [
            variables,
            _coordinates(value),
            [[k, n] for k, n in value.sizes.items()],
            value.attrs,
            value.encoding,
        ]
    return None


def _variable(value: Any) -> list[Any]:
    if value.chunks is not None:
        raise Unencodable("an object of xarray whose data are not computed yet")
    index = value.to_index() if value.ndim == 1 and type(value).__name__ == "IndexVariable" else None
    data = value.values if index is None else index
    return [list(value.dims), data, value.attrs, value.encoding]


def _coordinates(value: Any) -> list[Any]:
    indexed = [str(key) for key in value.xindexes]
    return [[[key, _variable(item.variable)] for key, item in value.coords.items()], indexed]


# astropy


def _astropy(value: Any) -> _Found | None:
    units, kind = sys.modules.get("astropy.units"), type(value)
    if units is None:
        return None
    if kind is units.Quantity:
        own = dict(vars(value))
        info, unit = own.pop("info", None), own.pop("_unit", value.unit)
        if own:
            raise Unencodable("a quantity with attributes of its own")
        described = (
            None if info is None else [getattr(info, part, None) for part in ("name", "format", "description", "meta")]
        )
        return "astropy.units.Quantity", [value.view(sys.modules["numpy"].ndarray), _unit(unit), described]
    if isinstance(value, units.UnitBase):
        return "astropy.units.Unit", _unit(value)
    return None


def _unit(unit: Any) -> list[Any]:
    """A unit as text, and exactly: its scale over units that are made of no others."""
    if not isinstance(unit, sys.modules["astropy.units"].UnitBase):
        raise Unencodable("a quantity of a unit that is a function")
    base = unit.decompose()
    powers = [[one.name, str(power)] for one, power in zip(base.bases, base.powers)]
    return [unit.to_string(), complex(base.scale), powers]


# torch


def _torch(value: Any) -> _Found | None:
    torch, kind = sys.modules["torch"], type(value)
    if kind is torch.Size:
        return "torch.Size", list(value)
    if kind in (torch.dtype, torch.device):
        return f"torch.{kind.__name__}", str(value)
    if kind not in (torch.Tensor, torch.nn.Parameter):
        return None
    if value.device.type != "cpu" or value.layout != torch.strided or value.is_quantized or value.grad_fn is not None:
        raise Unencodable("a tensor that is not plain data in the memory of the CPU")
    flat = value.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    if flat.stride(0) != 1:  # a single item, which torch takes for contiguous whatever its stride
        flat = flat.clone(memory_format=torch.contiguous_format)
    plain = flat.view(torch.uint8).numpy()
    fields = [str(value.dtype), list(value.shape), list(value.stride()), plain, bool(value.requires_grad)]
    return f"torch.{kind.__name__}", fields


_DESCRIBE = {"scipy": _scipy, "xarray": _xarray, "astropy": _astropy, "torch": _torch}
