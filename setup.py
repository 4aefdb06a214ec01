"""The native engine, compiled as tavu is installed; without a C compiler tavu is installed all the same, and writes with PyTorch."""

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

MAY_USE_VECTORS = ["-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros"]
"""Without these, compilers must do float comparisons and roundings one by one."""
SOURCES = sorted(map(str, Path("tavu/engine").glob("*.c")))


class BuildLibrary(build_ext):
    """A plain shared library that ctypes loads, so that one serves every version of Python and its headers are not needed."""

    def get_ext_filename(self, fullname: str) -> str:
        return str(Path(*fullname.split("."))) + (".dll" if sys.platform == "win32" else ".so")

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return []


class WheelOfAnyPython(bdist_wheel):
    """One wheel for each system and processor, since the library does not use Python's headers."""

    def get_tag(self) -> tuple[str, str, str]:
        return ("py3", "none", super().get_tag()[2])


is_msvc = sys.platform == "win32"
setup(
    ext_modules=[
        Extension(
            "tavu.engine.tavu_engine",
            SOURCES,
            depends=sorted(map(str, Path("tavu/engine").glob("*.h"))),
            extra_compile_args=["/O2"] if is_msvc else ["-O3", "-fvisibility=hidden", *MAY_USE_VECTORS],
            libraries=[] if is_msvc else ["m"],
            optional=True,
        )
    ],
    cmdclass={"build_ext": BuildLibrary, "bdist_wheel": WheelOfAnyPython},
)
