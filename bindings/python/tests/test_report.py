"""``report()``: what the memoized functions of a program did."""

from __future__ import annotations

import twat_cache as tc


def test_the_report_lists_functions_by_how_often_they_were_called(tmp_path):
    busy = tc.mcache(name="report <busy>")(lambda x: x)
    idle = tc.bcache(path=tmp_path, name="report idle")(lambda: 1)
    for _ in range(4):
        busy(1)
    rows = list(tc.report())
    names = [row["function"] for row in rows]
    assert names.index("report <busy>") < names.index("report idle")
    [row] = tc.report("report <busy>")
    assert row == {
        "function": "report <busy>", "engine": "memory", "hits": 3, "misses": 1, "hit ratio": 0.75, "entries": 1,
    }  # fmt: skip
    text = repr(tc.report("report <busy>")).splitlines()
    assert text[0].split("  ")[0] == "function" and "75%" in text[1] and len(text) == 2
    assert "&lt;busy&gt;" in tc.report("report <busy>")._repr_html_()
    assert tc.report("report idle")[0]["engine"] == "disk" and "-" in repr(tc.report("report idle"))
    assert len(tc.report("no such function")) == 0 and idle() == 1
