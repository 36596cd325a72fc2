"""The declarations in Python are those of the header."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import pytest

from twat_cache._ffi import abi, lib

HEADER = Path(__file__).resolve().parents[3] / "include" / "twat_cache.h"
pytestmark = pytest.mark.skipif(not HEADER.is_file(), reason="outside the repository there is no header")

PLAIN = {"int32_t": "i", "uint32_t": "u", "uint64_t": "U", "int64_t": "I", "size_t": "n", "void": "-"}


def header() -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", HEADER.read_text(), flags=re.S)


def letter(text: str) -> str:
    text = " ".join(text.split())
    if "*" in text:
        return "s" if re.match(r"const char \*(?!\*|const)", text) else "p"
    words = [word for word in text.split() if word not in ("const", "struct")]
    return PLAIN[words[0]]


def prototypes() -> dict[str, tuple[str, str]]:
    found = {}
    for result, name, params in re.findall(r"^([\w *]+?)\b(twat_\w+)\(([^;]*?)\);", header(), re.M | re.S):
        parameters = [] if params.strip() == "void" else params.split(",")
        found[name] = (letter(result), "".join(map(letter, parameters)))
    return found


def test_every_symbol_of_the_header_is_declared_with_its_types():
    assert prototypes() == abi.SYMBOLS
    assert len(abi.SYMBOLS) > 50


def test_every_struct_has_the_headers_fields_in_order():
    structs = {
        "bytes": abi.Bytes,
        "option": abi.Option,
        "slice": abi.Slice,
        "set_options": abi.SetOptions,
        "stats": abi.Stats,
    }
    for name, struct in structs.items():
        body = re.search(rf"typedef struct twat_{name} \{{(.*?)\}}", header(), re.S).group(1)
        fields = re.findall(r"(\w+);", body)
        assert fields == [field for field, _ in struct._fields_], name


def test_every_constant_has_the_headers_value():
    constants = dict(re.findall(r"#define TWAT_(\w+) (\S+)", header()))
    constants.pop("CACHE_H", None)
    for name, text in constants.items():
        value = 2**64 - 1 if text == "UINT64_MAX" else int(text)
        ours = name.removeprefix("POLICY_")
        assert getattr(abi, ours) == value, name
    assert len(constants) > 20


def test_both_ways_of_calling_are_declared():
    for library in (lib.held, lib.freed):
        for name, (_, parameters) in abi.SYMBOLS.items():
            assert len(getattr(library, name).argtypes) == len(parameters)
    assert isinstance(lib.held, ctypes.PyDLL) and not isinstance(lib.freed, ctypes.PyDLL)
