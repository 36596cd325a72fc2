"""Lists what is linked into the library: licences as text, and a CycloneDX SBOM.

python licences.py TEXT SBOM, in the root of a source tree. What counts are the
normal dependencies for Linux on x86-64, as `cargo metadata` resolves them.
"""

import json
import subprocess
import sys
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

TARGET = "x86_64-unknown-linux-gnu"
# C libraries that crates bring along, with the file that holds their licence.
BUNDLED = {
    "lmdb-rkv-sys": ("LMDB", "lmdb/libraries/liblmdb/LICENSE", "OLDAP-2.8"),
    "zstd-sys": ("zstd", "zstd/LICENSE", "BSD-3-Clause"),
}


def metadata() -> dict:
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def linked(data: dict) -> list[dict]:
    """The packages that the library is linked from, its own first."""
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    packages = {package["id"]: package for package in data["packages"]}
    seen, waiting = {}, [data["resolve"]["root"]]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen[name] = packages[name]
        for dep in nodes[name]["deps"]:
            # Procedural macros run in the compiler; nothing of them is linked.
            macro = any("proc-macro" in target["kind"] for target in packages[dep["pkg"]]["targets"])
            if not macro and any(kind["kind"] is None for kind in dep["dep_kinds"]):
                waiting.append(dep["pkg"])
    root = seen.pop(data["resolve"]["root"])
    return [root, *sorted(seen.values(), key=lambda package: (package["name"], package["version"]))]


def licence_files(package: dict) -> list[Path]:
    folder = Path(package["manifest_path"]).parent
    names = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
    found = [path for path in folder.iterdir() if path.is_file() and path.name.upper().startswith(names)]
    if package["name"] in BUNDLED:
        found.append(folder / BUNDLED[package["name"]][1])
    return sorted(found)


def expression(package: dict) -> str:
    return (package["license"] or "").replace("/", " OR ")


def text(packages: list[dict]) -> str:
    parts = ["twat-cache is linked with the following packages. Each is under the licence that is named with it.\n"]
    for package in packages[1:]:
        parts.append(f"\n{'=' * 78}\n{package['name']} {package['version']}: {expression(package)}\n")
        parts += [f"\n--- {path.name}\n\n{path.read_text(errors='replace').strip()}\n" for path in licence_files(package)]
    return "".join(parts)


def bom(root: dict, packages: list[dict], checksums: dict) -> Bom:
    result = Bom()
    result.serial_number = result.serial_number.__class__(int=0)
    result.metadata.timestamp = result.metadata.timestamp.fromtimestamp(int(EPOCH), result.metadata.timestamp.tzinfo)
    result.metadata.component = Component(
        name=root["name"], version=root["version"], type=ComponentType.LIBRARY, bom_ref=root["name"],
        licenses=[LicenseExpression(root["license"])], purl=PackageURL("cargo", None, root["name"], root["version"]),
    )  # fmt: skip
    for package in packages:
        name, version = package["name"], package["version"]
        checksum = checksums.get((name, version))
        result.components.add(
            Component(
                name=name, version=version, type=ComponentType.LIBRARY, bom_ref=f"{name}@{version}",
                licenses=[LicenseExpression(expression(package))], purl=PackageURL("cargo", None, name, version),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
            )
        )  # fmt: skip
        if name in BUNDLED:
            bundled, _, licence = BUNDLED[name]
            result.components.add(
                Component(
                    name=bundled, version=f"bundled in {name} {version}", type=ComponentType.LIBRARY, bom_ref=bundled,
                    licenses=[LicenseExpression(licence)],
                )
            )  # fmt: skip
    return result


def lock_checksums() -> dict:
    try:
        import tomllib
    except ImportError:  # CPython 3.10
        return {}
    lock = tomllib.loads(Path("Cargo.lock").read_text())
    return {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}


if __name__ == "__main__":
    import os

    EPOCH = os.environ.get("SOURCE_DATE_EPOCH", "0")
    root, *rest = linked(metadata())
    unlicensed = [package["name"] for package in rest if not expression(package)]
    if unlicensed:
        sys.exit(f"licences: expected one for each package, found none for: {', '.join(unlicensed)}")
    Path(sys.argv[1]).write_text(text([root, *rest]))
    made = make_outputter(bom(root, rest, lock_checksums()), OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(made)
    if wrong:
        sys.exit(f"SBOM: {wrong}")
    Path(sys.argv[2]).write_text(made + "\n")
