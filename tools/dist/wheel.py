"""Makes the wheel of one CPython: the generic one with the native part added.

python tools/dist/wheel.py GENERIC.whl cp311 _speed.cpython-311-x86_64-linux-gnu.so OUT

The library and every source file are the same bytes in both, and so are two runs.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import time
import zipfile
from os import environ
from pathlib import Path


def made_of(generic: Path, python: str, native: Path, out: Path) -> Path:
    """Writes the wheel; its path."""
    name, version, *_, platform = generic.stem.split("-")
    tag = f"{python}-{python}-{platform}"
    made = out / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(generic) as archive:
        files = [(entry, archive.read(entry)) for entry in archive.infolist()]
    stamp = time.gmtime(max(int(environ["SOURCE_DATE_EPOCH"]), 315_532_800))[:6]  # ZIP begins in 1980
    extension = zipfile.ZipInfo(f"{name}/{native.name}", stamp)
    extension.external_attr = 0o100755 << 16
    rows = []
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in [(extension, native.read_bytes()), *files]:
            if entry.filename == f"{info}/RECORD":
                continue
            if entry.filename == f"{info}/WHEEL":
                data = re.sub(rb"(?m)^(Tag|Root-Is-Purelib): .*\n", b"", data).rstrip(b"\n")
                data += f"\nRoot-Is-Purelib: false\nTag: {tag}\n\n".encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{entry.filename},sha256={digest},{len(data)}\n")
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
        record = zipfile.ZipInfo(f"{info}/RECORD", stamp)
        record.external_attr = 0o100644 << 16
        archive.writestr(record, "".join(rows) + f"{info}/RECORD,,\n", zipfile.ZIP_DEFLATED)
    return made


if __name__ == "__main__":
    print(made_of(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])).name)
