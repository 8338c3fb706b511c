"""What pyproject.toml cannot say: the library that was built goes into the wheel, which then
belongs to one platform.

It is $BITTERN_LIBRARY, else that of build/release. Without either the wheel has none and uses what
is installed on the system."""

import os
import pathlib

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # before setuptools 70.1
    from wheel.bdist_wheel import bdist_wheel

ROOT = pathlib.Path(__file__).resolve().parent.parent


def built_library():
    named = os.environ.get("BITTERN_LIBRARY")
    path = pathlib.Path(named or ROOT / "build" / "release" / "libbittern.so")
    if named and not path.is_file():
        raise SystemExit(f"BITTERN_LIBRARY: {named}: no such file")
    return path.resolve() if path.is_file() else None


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        library = built_library()
        if library is not None:
            target = pathlib.Path(self.build_lib, "bittern", "libbittern.so")
            self.copy_file(str(library), str(target))


class PlatformDistribution(Distribution):
    def has_ext_modules(self):
        return built_library() is not None


class AnyPython(bdist_wheel):
    def get_tag(self):
        # ctypes loads the library: every Python 3 of the platform will do.
        _, _, platform = super().get_tag()
        return "py3", "none", platform


setup(cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": AnyPython},
      distclass=PlatformDistribution)
