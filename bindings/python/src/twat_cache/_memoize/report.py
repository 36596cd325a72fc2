"""A table of the memoized functions of this program."""

from __future__ import annotations

from typing import Any

from twat_cache._memoize import registry

_COLUMNS = ("function", "engine", "hits", "misses", "hit ratio", "entries")


class Report:
    """Figures of memoized functions: a sequence of dictionaries, a text table and an HTML table."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]

    def _cells(self) -> list[tuple[str, ...]]:
        return [tuple(_shown(row[name]) for name in _COLUMNS) for row in self.rows]

    def __repr__(self) -> str:
        table = [_COLUMNS, *self._cells()]
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        head = "".join(f"<th>{escape(name)}</th>" for name in _COLUMNS)
        body = ["".join(f"<td>{escape(cell)}</td>" for cell in line) for line in self._cells()]
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in body)}</table>"


def report(name: str | None = None) -> Report:
    """Return a table of the memoized functions of this program, the busiest first.

    Args:
        name: Limits it to functions of this name or folder, as for ``clear_cache``.

    Returns:
        A report, which prints as a table and shows as one in notebooks. ``report()[0]`` is a dictionary with the
        columns as keys.

    Example:
        >>> from twat_cache import mcache, report
        >>> @mcache(name="squares")
        ... def square(x):
        ...     return x * x
        >>> square(2), square(2)
        (4, 4)
        >>> print(report("squares"))
        function  engine  hits  misses  hit ratio  entries
        squares   memory  1     1       50%        1
    """
    rows = []
    for memo in registry.live(name):
        figures = memo.stats
        asked = figures["hits"] + figures["misses"]
        store = getattr(memo, "store", None)
        rows.append({
            "function": memo.name,
            "engine": getattr(store, "engine", "memory"),
            "hits": figures["hits"],
            "misses": figures["misses"],
            "hit ratio": figures["hits"] / asked if asked else None,
            "entries": figures["size"],
        })  # fmt: skip
    rows.sort(key=lambda row: -(row["hits"] + row["misses"]))
    return Report(rows)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.0%}" if isinstance(value, float) else str(value)
