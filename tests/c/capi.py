"""Compares what is installed with what cargo-c would install: python capi.py TREE PREFIX < `cargo metadata`

The names follow cargo-c's README; tests/run-c.sh cargo-c runs the real one.
"""

import glob
import json
import re
import subprocess
import sys
from pathlib import Path

tree, prefix = Path(sys.argv[1]), Path(sys.argv[2])
package = next(p for p in json.load(sys.stdin)["packages"] if p["name"] == "twat-cache")
capi = package["metadata"]["capi"]
version, library, pkgconfig = package["version"], capi["library"]["name"], capi["pkgconfig"]
suffix = ".".join(version.split(".")[: capi["library"]["version_suffix_components"]])
wrong = []


def expect(what, expected, found):
    if expected != found:
        wrong.append(f"{what}: expected {expected!r} (Cargo.toml), found {found!r} (make install)")


# cargo-c refuses a package without either.
expect("feature capi", [], package["features"].get("capi"))
expect("min_version is a whole version", True, bool(re.fullmatch(r"\d+\.\d+\.\d+", capi["min_version"])))
expect("header is not generated", (True, False, False),
       tuple(capi["header"][key] for key in ("enabled", "generation", "subdirectory")))  # fmt: skip

names = [f"lib{library}.so", f"lib{library}.so.{suffix}", f"lib{library}.so.{version}", f"lib{library}.a"]
files = {f"lib/{name}" for name in names} | {f"lib/pkgconfig/{pkgconfig['filename']}.pc"}
for asset in capi["install"]["include"]["asset"]:
    for header in glob.glob(str(tree / asset["from"])):
        files.add(str(Path("include", asset.get("to", ""), Path(header).name)))
ours = {str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir()}
# cargo-c knows neither CMake nor manuals.
ours = {name for name in ours if not name.startswith(("lib/cmake/", "share/man/"))}
expect("files", sorted(files), sorted(ours))

real = prefix / "lib" / f"lib{library}.so.{version}"
for link in names[:2]:
    expect(link, real.resolve(), (prefix / "lib" / link).resolve())
dynamic = subprocess.run(["readelf", "-d", real], capture_output=True, text=True, check=True).stdout
expect("SONAME", f"lib{library}.so.{suffix}", re.search(r"SONAME.*\[(.+)\]", dynamic)[1])

pc = (prefix / "lib" / "pkgconfig" / f"{pkgconfig['filename']}.pc").read_text()
said = dict(line.split(": ", 1) for line in pc.splitlines() if ": " in line)
expect("Name", pkgconfig["name"], said["Name"])
expect("Description", pkgconfig.get("description", package["description"]), said["Description"])
expect("Version", pkgconfig.get("version", version), said["Version"])
expect("Libs", f"-L${{libdir}} -l{library}", said["Libs"])
expect("Cflags", "-I${includedir}", said["Cflags"])
sys.exit("\n".join(wrong) or None)
