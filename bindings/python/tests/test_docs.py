"""Every example of the documentation runs."""

from __future__ import annotations

import doctest
import os
import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parents[1]
PAGES = (ROOT / "docs" / "python.md", HERE / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_gives_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.setenv("TWAT_CACHE_DIR", str(tmp_path))
    # A fence ends what an example prints, which doctest knows of blank lines only.
    text = re.sub(r"^```.*$", "", page.read_text(), flags=re.M)
    test = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, page.name, str(page), 0)
    assert len(test.examples) >= 5
    said = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    text = page.read_text()
    anchors = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert os.path.exists(page.parent / target.partition("#")[0]), target


def test_the_page_names_every_decorator_and_public_function():
    import twat_cache

    text = PAGES[0].read_text()
    names = [name for name in twat_cache.__all__ if callable(getattr(twat_cache, name)) and name.islower()]
    helpers = ("configure_for_", "_cache_config", "create_", "get_cache_path", "get_or_create")
    for name in names:
        assert name in text or any(part in name for part in helpers), name
