"""What MkDocs does not do by itself: generated pages, and links that leave docs/."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
NODE = ROOT / "target" / "docs" / "node"
MERMAID = ROOT / "tools" / "docs" / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
REPOSITORY = "https://github.com/twardoch/twat-cache"
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")


def on_files(files: Files, config: Any) -> Files:
    """Adds the reference of the C header and of the Node package, and the script of the diagrams."""
    files.append(File.generated(config, "reference/c.md", content=c_reference()))
    files.append(File.generated(config, "reference/node.md", content=node_reference()))
    files.append(File.generated(config, "javascripts/mermaid.min.js", content=MERMAID.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links to files outside of docs/ lead to the repository."""
    source = page.file.abs_src_path
    folder = Path(source).parent if source else DOCS / Path(page.file.src_uri).parent

    def link(match: re.Match[str]) -> str:
        before, target, anchor, after = match.groups()
        if re.match(r"[a-z]+:", target):
            return match[0]
        path = Path(os.path.normpath(folder / target))
        if path.is_relative_to(DOCS) and path.suffix in ("", ".md", ".svg", ".png"):
            return match[0]
        if not path.is_relative_to(ROOT) or not path.exists():
            return match[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"{before}{REPOSITORY}/{kind}/main/{path.relative_to(ROOT)}{anchor or ''}{after}"

    return LINK.sub(link, markdown)


def c_reference() -> str:
    """The header as a page: each declaration under its name, with its comment."""
    text = (ROOT / "include" / "twat_cache.h").read_text()
    kinds: dict[str, list[str]] = {"Functions": [], "Types": [], "Constants": []}
    for comment, code in re.findall(r"/\*\n(.*?)\*/\n(.*?)(?=\n\n|\Z)", text, re.S):
        kinds[kind_of(code)].append(f"### `{name_of(code)}`\n\n```c\n{code.strip()}\n```\n\n{words_of(comment)}\n")
    parts = [
        "# C header\n",
        "Every declaration of `twat_cache.h`, with its comment. [C and C++](../c.md) is the guide.\n",
    ]
    for title, entries in kinds.items():
        parts += [f"## {title}\n", *entries]
    return "\n".join(parts)


def kind_of(code: str) -> str:
    """Which part of the page a declaration belongs to."""
    if code.startswith("#define"):
        return "Constants"
    return "Types" if "{" in code or code.startswith("typedef") else "Functions"


def name_of(code: str) -> str:
    """What a declaration declares."""
    name = re.search(r"#define (\w+)|(\w+)\(|(\w+);\s*$", code)
    return next(filter(None, name.groups())) if name else code.split("\n")[0]


def words_of(comment: str) -> str:
    """The text of a comment, with what it says of ownership and errors in bold."""
    lines = (line.strip().removeprefix("*").removeprefix(" ") for line in comment.splitlines())
    text = html.escape("\n".join(lines), quote=False)
    return re.sub(r"^(Ownership|Errors|Since|Threads): ", r"\n**\1:** ", text, flags=re.M)


def node_reference() -> str:
    """What TypeDoc wrote (tools/docs.sh), as one page."""
    page = NODE / "README.md"
    text = page.read_text() if page.exists() else "# Node\n\nRun `make docs`.\n"
    return re.sub(r"^# .*$", "# The Node package", text, count=1, flags=re.M)
