"""Puts the rows of target/bench/*.json into one table: what, ours, peer, ratio, target.

Each file is a list of {"what", "ours", "peer", "ratio", "target", "unit", "met"}.
"""

import json
import sys
from pathlib import Path


def text(value: object, unit: str) -> str:
    return f"{value:,.1f} {unit}" if isinstance(value, (int, float)) else str(value or "")


rows = []
for name in sys.argv[1:]:
    for row in json.loads(Path(name).read_text()):
        ratio = row.get("ratio")
        rows.append(
            (
                row["what"],
                text(row.get("ours"), row.get("unit", "ns")),
                text(row.get("peer"), row.get("unit", "ns")),
                f"{ratio:.2f}" if isinstance(ratio, (int, float)) else "",
                str(row.get("target", "")),
                "" if row.get("met", True) else "BEHIND",
            )
        )
header = ("what", "ours", "peer", "ratio", "target", "")
widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
for row in [header, *rows]:
    print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
