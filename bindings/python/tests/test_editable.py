"""Editable installs of every build backend: the checkout's project names its functions, wherever the checkout is."""

from __future__ import annotations

import os
import subprocess
import sys
import venv

import pytest

from test_identity import LOAD, Place

pytestmark = pytest.mark.skipif(not os.environ.get("TWAT_SOAK"), reason="installs build backends: make soak")

BACKENDS = {
    "setuptools": ("setuptools==84.2.1", "setuptools.build_meta"),
    "hatchling": ("hatchling==1.33.0", "hatchling.build"),
    "flit": ("flit_core==4.2.0", "flit_core.buildapi"),
    "poetry": ("poetry-core==2.5.0", "poetry.core.masonry.api"),
    "uv": ("uv_build==0.13.6", "uv_build"),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_checkouts_of_an_editable_project_share_and_another_project_does_not(backend, tmp_path):
    place = Place(tmp_path)
    requirement, module = BACKENDS[backend]
    for checkout, name, factor in (("one", "shop", 10), ("two", "shop", 10), ("other", "store", 1000)):
        place.file(f"{checkout}/src/wares/__init__.py", "")
        place.file(f"{checkout}/src/wares/utils.py", LOAD.format(factor))
        place.file(
            f"{checkout}/pyproject.toml",
            f'[build-system]\nrequires = ["{requirement}"]\nbuild-backend = "{module}"\n'
            f'[project]\nname = "{name}"\nversion = "1"\ndescription = "A test."\n'
            '[tool.hatch.build.targets.wheel]\npackages = ["src/wares"]\n[tool.flit.module]\nname = "wares"\n'
            '[tool.poetry]\npackages = [{include = "wares", from = "src"}]\n[tool.uv.build-backend]\nmodule-name = "wares"\n',
        )
        venv.create(tmp_path / f"venv-{checkout}", with_pip=True)
        python = tmp_path / f"venv-{checkout}" / "bin" / "python"
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "-e", tmp_path / checkout],
            check=True,
            env={**os.environ, "PYTHONPATH": ""},
        )
    out = []
    for checkout in ("one", "two", "other"):
        code = "from wares import utils; print(utils.load(1), utils.load.cache.name)"
        python = tmp_path / f"venv-{checkout}" / "bin" / "python"
        done = subprocess.run(
            [python, "-c", code], env=place.env, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        out.append(done.stdout.strip())
    shop = "10 shop:wares.utils.load"
    assert out == [f"ran {shop}", shop, "ran 1000 store:wares.utils.load"], sys.version
