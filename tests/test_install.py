"""What an installation in place, `pip install -e`, leaves: `import tavu` finds the package from anywhere."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
BUILD = "import sys; from setuptools import build_meta; build_meta.build_editable(sys.argv[1])"
IMPORT = "import site, sys; site.addsitedir(sys.argv[1]); import tavu; print(tavu.__version__)"


def test_a_clone_called_tavu_is_not_taken_for_the_package_from_the_folder_that_holds_it(tmp_path):
    """Python takes a folder of that name for a package of no file, unless a path that comes later has a real one."""
    pytest.importorskip("setuptools")
    clone = tmp_path / "tavu"
    (clone / "tavu").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):  # without setup.py, which compiles the engine
        shutil.copy(REPOSITORY / name, clone)
    (clone / "tavu/__init__.py").write_text('__version__ = "7"\n')
    subprocess.run([sys.executable, "-c", BUILD, tmp_path], cwd=clone, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    found = subprocess.run([sys.executable, "-S", "-c", IMPORT, tmp_path / "site"], cwd=tmp_path, env={}, capture_output=True, text=True)
    assert found.stdout == "7\n", found.stderr
