"""Every relative link and anchor of every page leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def text_of(page: Path) -> str:
    """The page without its code, where brackets are no links."""
    return re.sub(r"^ *(```+).*?^ *\1\s*$|`[^`\n]*`", "", page.read_text(), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The anchors of headings, as GitHub and MkDocs make them, and explicit ones."""
    found: set[str] = set()
    text = re.sub(r"^ *(```+).*?^ *\1\s*$", "", page.read_text(), flags=re.M | re.S)
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        explicit = re.search(r"\{ *#([\w-]+) *\}", heading)
        heading = re.sub(r"\{.*\}|`|\*", "", heading).strip().lower()
        github = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
        ascii_only = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
        mkdocs = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_only).strip())
        found |= {github, mkdocs, *([explicit[1]] if explicit else [])}
    return found | set(re.findall(r'<a id="([^"]+)"', text))


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    pages = [ROOT / name for name in listed.stdout.split()]
    wrong = 0
    for page in pages:
        for match in LINK.finditer(text_of(page)):
            target = match[1] or match[2]
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            if not file.exists() and not str(file).startswith(str(ROOT / "docs" / "reference")):
                print(f"{page.relative_to(ROOT)}: {target}: no such file")
                wrong += 1
            elif anchor and file.suffix == ".md" and file.exists() and anchor not in anchors(file):
                print(f"{page.relative_to(ROOT)}: {target}: no such heading")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
