"""Hooks for PyInstaller, which finds them by the entry point ``pyinstaller40``."""

from __future__ import annotations

import os


def hook_dirs() -> list[str]:
    """The folder of the hooks."""
    return [os.path.dirname(os.path.abspath(__file__))]
