"""Writes the wrapper of a memoized function as source fit to its signature.

A hit is then a dictionary look-up and nothing else that the options did not
ask for: Python binds the arguments itself, so that keyword order and omitted
defaults make no difference, and every name is a cell. Names of ours begin with
``_tc_``.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable
from typing import Any

from twat_cache._ffi import abi
from twat_cache._memoize.hit_log import AFTER, FIXED, FREE_THREADED, GROWING, LOG_SIZE, indented
from twat_cache._memoize.signature import Signature


class Plan:
    """What a wrapper has to do besides looking up."""

    __slots__ = ("asynchronous", "callback", "copy", "key", "needs", "raises", "ttl", "typed")

    def __init__(
        self,
        *,
        needs: int = abi.NEEDS_NOTHING,
        ttl: bool = False,
        typed: bool = False,
        copy: bool = False,
        callback: bool = False,
        raises: bool = False,
        key: bool = False,
        asynchronous: bool = False,
    ) -> None:
        self.needs, self.ttl, self.typed, self.copy = needs, ttl, typed, copy
        self.callback, self.raises, self.key, self.asynchronous = callback, raises, key, asynchronous


class Rare:
    """What a wrapper needs for misses only: one cell of it instead of eight, since a call pays for each."""

    __slots__ = ("drain", "errors", "find", "freeze", "func", "keep", "keep_error", "misses", "note", "run", "table_of")

    keep: Any
    note: Any

    def __init__(self, **parts: Any) -> None:
        self.misses = 0
        for name, part in parts.items():
            setattr(self, name, part)


def key_source(signature: Signature, plan: Plan) -> str:
    """The expression that makes the key of a call."""
    if plan.key:
        return f"_tc_key({signature.call()})"
    names = signature.key_names
    if signature.per_instance:
        names = tuple(name for name in names if name != "self")
    star = signature.var_positional if signature.var_positional not in signature.ignore else None
    double = signature.var_keyword if signature.var_keyword not in signature.ignore else None
    if not star and not double:
        if len(names) == 1 and not plan.typed:
            return names[0]
        items = list(names) + [f"_tc_type({name})" for name in names if plan.typed]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    items = [*names]
    if plan.typed:
        items += [f"_tc_type({name})" for name in names]
    if star and not double and not items and not plan.typed:
        return star
    if star:
        items.append(f"*{star}" if not double else star)
        if plan.typed:
            items.append(f"_tc_types({star})")
    if double:
        keywords = double if not signature.ignore else f"_tc_without({double})"
        items.append(f"(_tc_sorted({keywords}) or None) if {double} else None")
        if plan.typed:
            items.append(f"_tc_kinds({keywords})")
    return f"({', '.join(items)},)"


def source(signature: Signature, plan: Plan) -> str:
    """The factory of a wrapper and of its key function."""
    a = "async " if plan.asynchronous else ""
    table = "_tc_tables[_tc_id(self)]" if signature.per_instance and not plan.key else "_tc_table"
    own = "_tc_rare.table_of(self)" if signature.per_instance and not plan.key else "_tc_table"
    call, parameters = signature.call(), signature.text()
    key = key_source(signature, plan)
    counts_itself = plan.needs != abi.NEEDS_LOG
    hit = _hit_lines(plan, counts_itself)
    one_name = key in signature.named
    # A key that is only put together from arguments is put together again on a miss: a hit keeps no name for it.
    inline = one_name or (not plan.key and not plan.typed and not signature.stars_in_key)
    lookup = key if inline else "_tc_k"
    frozen = f"({lookup},)" if one_name or plan.key else lookup
    counts_here = counts_itself and not FREE_THREADED
    cells = [name for name, used in (("_tc_n", not counts_itself), ("_tc_hits", counts_here)) if used]
    lines = [
        "def _tc_make(_tc_rare, _tc_defaults, _tc_table, _tc_tables, _tc_log, _tc_append, _tc_drain, _tc_key,"
        " _tc_sorted, _tc_types, _tc_kinds, _tc_without, _tc_now, _tc_copy, _tc_callback, _tc_raised, _tc_counter,"
        " _tc_next, _tc_type, _tc_id, _tc_len, _tc_full):",
        "    _tc_n = 0",
        "    _tc_hits = 0",
        f"    {a}def _tc_wrapper({parameters}):",
        # Each name of this kind costs a call something, used or not.
        *([f"        nonlocal {', '.join(cells)}"] if cells else []),
        *([] if inline else [f"        _tc_k = {key}"]),
        "        try:",
        *_indent(_look_up_lines(plan, f"{table}[{lookup}]"), 12),
        "        except KeyError:",
        *(["            _tc_k = " + key] if inline else ["            pass"]),
        *(_first_of_instance(frozen) if own != "_tc_table" else []),
        "        except TypeError as _tc_error:",
        f"            _tc_k = _tc_rare.freeze({frozen}, _tc_error)",
        f"            _tc_e = _tc_rare.find(_tc_k, {own})",
        "            if _tc_e is not None:",
        "                _tc_value = _tc_e[0]",
        *_indent(_after_found(plan, counts_itself, "_tc_k"), 16),
        *_indent(_FULL + _indent(hit(lookup), 4) if _notes_at_once(plan) else [], 8),
        "        else:",
        *_indent(hit(lookup), 12),
        *(["            _tc_k = " + key] if inline and plan.ttl else []),
        *_indent(_miss_lines(plan, call, own), 8),
        "    def _tc_key_of(" + parameters + "):",
        f"        _tc_k = {key}",
        "        try:",
        "            hash(_tc_k)",
        "        except TypeError as _tc_error:",
        f"            _tc_k = _tc_rare.freeze({frozen}, _tc_error)",
        f"        return _tc_k, {own}",
        "    def _tc_counts(_tc_reset=False):",
        "        nonlocal _tc_hits",
        "        if _tc_reset:",
        "            _tc_hits = _tc_rare.misses = 0",
        "        return _tc_hits, _tc_rare.misses",
        *indented(GROWING if FREE_THREADED else FIXED),
        "    _tc_rare.note = _tc_note",
        "    return _tc_wrapper, _tc_key_of, _tc_counts, _tc_note, _tc_take, _tc_pending",
    ]
    return "\n".join(lines) + "\n"


def _first_of_instance(frozen: str) -> list[str]:
    """Without a table the key was not hashed, so nobody has found out whether it can be."""
    return [
        "            if _tc_id(self) not in _tc_tables:",
        "                try:",
        "                    hash(_tc_k)",
        "                except TypeError as _tc_error:",
        f"                    _tc_k = _tc_rare.freeze({frozen}, _tc_error)",
    ]


# The log is full when there is no number after: what was hit last is in it by then.
_NOTE = [
    "try:",
    "    _tc_log[_tc_n] = _tc_slot",
    "    _tc_n = _tc_after[_tc_n]",
    "except IndexError:",
    "    _tc_n += 1",
    "    _tc_rare.drain()",
]
# The look-up stands under the same ``try``, so the error may be that of a key's own ``__eq__`` or ``__hash__``.
_FULL = [
    "except IndexError as _tc_error:",
    "    if _tc_n < _tc_last or _tc_error.__traceback__.tb_next is not None:",
    "        raise",
    "    _tc_n += 1",
    "    _tc_rare.drain()",
]


def _notes_at_once(plan: Plan) -> bool:
    """Whether a hit goes from the dictionary straight into the log: nothing can make it a miss any more."""
    return plan.needs == abi.NEEDS_LOG and not plan.ttl and not FREE_THREADED


def _look_up_lines(plan: Plan, entry: str) -> list[str]:
    if plan.needs == abi.NEEDS_MARK:
        return [f"_tc_e = {entry}"]
    if _notes_at_once(plan):
        return [f"_tc_value, _tc_log[_tc_n] = {entry}", "_tc_n = _tc_after[_tc_n]"]
    return [f"_tc_value, _tc_slot{', _tc_deadline' if plan.ttl else ''} = {entry}"]


def _hit_lines(plan: Plan, counts_itself: bool) -> Callable[[str], list[str]]:
    def lines(key: str) -> list[str]:
        out: list[str] = []
        value, deadline = ("_tc_e[0]", "_tc_e[2]") if plan.needs == abi.NEEDS_MARK else ("_tc_value", "_tc_deadline")
        body: list[str] = []
        if plan.needs == abi.NEEDS_LOG and not _notes_at_once(plan):
            body += ["_tc_rare.note(_tc_slot)"] if FREE_THREADED else _NOTE
        elif plan.needs == abi.NEEDS_MARK:
            body += ["if not _tc_e[3]:", "    _tc_append(_tc_e)", "    _tc_e[3] = True"]
        if value != "_tc_value" and (plan.copy or plan.callback or plan.raises):
            body.append(f"_tc_value = {value}")
            value = "_tc_value"
        body += _after_found(plan, counts_itself, key)
        if value != "_tc_value":
            body[-1] = f"return {value}"
        if plan.ttl:
            out += [f"if {deadline} > _tc_now():", *_indent(body, 4)]
        else:
            out += body
        return out

    return lines


def _after_found(plan: Plan, counts_itself: bool, key: str) -> list[str]:
    """What follows once ``_tc_value`` is a hit."""
    lines: list[str] = []
    if counts_itself:
        lines.append("_tc_next(_tc_counter)" if FREE_THREADED else "_tc_hits += 1")
    if plan.raises:
        lines += ["if _tc_value.__class__ is _tc_raised:", "    raise _tc_value.again()"]
    if plan.copy:
        lines.append("_tc_value = _tc_copy(_tc_value)")
    if plan.callback:
        lines.append(f"_tc_callback('hit', {key}, _tc_value)")
    return [*lines, "return _tc_value"]


def _miss_lines(plan: Plan, call: str, own: str) -> list[str]:
    lines = ["_tc_rare.misses += 1"]
    run = f"_tc_rare.func({call})"
    if plan.asynchronous:
        return [*lines, f"return await _tc_rare.run(_tc_k, {own}, *_tc_pack({call}))"]
    if plan.raises:
        lines += [
            "try:",
            f"    _tc_value = {run}",
            "except _tc_rare.errors as _tc_error:",
            f"    _tc_rare.keep_error(_tc_k, _tc_error, {own})",
            "    raise",
        ]
    else:
        lines.append(f"_tc_value = {run}")
    lines.append(f"_tc_rare.keep(_tc_k, _tc_value, None, {own})")
    if plan.copy:
        lines.append("_tc_value = _tc_copy(_tc_value)")
    if plan.callback:
        lines.append("_tc_callback('miss', _tc_k, _tc_value)")
    return [*lines, "return _tc_value"]


def _indent(lines: list[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]


def compile_for(signature: Signature, make: Callable[[Signature], str], cells: dict[str, Any]) -> tuple[Any, ...]:
    """Return what the factory of the source that ``make`` writes returns, over these cells.

    Parameters may have any name, ours and those of the built-ins that the source uses included.
    """
    names = [p.name for p in signature.parameters if p.name != "self"]
    if not any(name in _BUILT_IN or name.startswith("_tc") for name in names):
        return _compiled(make(signature), _OURS, cells)
    ours = next(prefix for n in itertools.count(1) if not any(name.startswith(prefix := f"_tc{n}_") for name in names))
    text = make(signature.renamed({name: f"_tcu{n}u" for n, name in enumerate(names)}))
    text = _OUR_NAME.sub(lambda found: ours + (found[1] or found[2]), text)
    text = _PLACEHOLDER.sub(lambda found: names[int(found[1])], text)
    return _compiled(text, ours, cells)


_OURS = "_tc_"
_BUILT_IN = {each.__name__: each for each in (BaseException, IndexError, KeyError, TypeError, hash)}
_OUR_NAME = re.compile(rf"\b(?:_tc_(\w+)|({'|'.join(_BUILT_IN)}))\b")
_PLACEHOLDER = re.compile(r"\b_tcu(\d+)u\b")


def _compiled(text: str, ours: str, cells: dict[str, Any]) -> tuple[Any, ...]:
    factory, names = _factory(text, ours)
    made: tuple[Any, ...] = factory(*[cells.get(_OURS + name[len(ours) :]) for name in names])
    return made


@functools.lru_cache(maxsize=512)
def _factory(text: str, ours: str) -> tuple[Any, tuple[str, ...]]:
    known = {"pack": _pack, "after": AFTER, "last": LOG_SIZE - 1, **_BUILT_IN}
    scope: dict[str, Any] = {f"{ours}{name}": value for name, value in known.items()}
    exec(compile(text, "<twat_cache wrapper>", "exec"), scope)  # noqa: S102 - our own source over parameter names
    factory = scope[f"{ours}make"]
    return factory, factory.__code__.co_varnames[: factory.__code__.co_argcount]


def _pack(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    return args, kwargs


def dress(wrapper: Any, func: Any) -> Any:
    """Makes a wrapper look like what it wraps."""
    return functools.update_wrapper(wrapper, func)
