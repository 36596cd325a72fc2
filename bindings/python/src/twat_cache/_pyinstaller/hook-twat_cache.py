"""Collects the core library, and the modules that are imported by name when they are first used."""

from PyInstaller.utils.hooks import collect_dynamic_libs, collect_submodules

binaries = collect_dynamic_libs("twat_cache")
# Adapters import their frameworks, which the program may not have.
ADAPTERS = ("django", "flask_caching", "joblib_store", "ext.django", "ext.flask", "ext.joblib", "_pyinstaller")
hiddenimports = collect_submodules(
    "twat_cache", filter=lambda name: not name.startswith(tuple(f"twat_cache.{adapter}" for adapter in ADAPTERS))
)
