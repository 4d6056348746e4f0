"""The build hook of the wheel: compiles with mypyc where a C compiler is present, and leaves the wheel pure elsewhere.

`DRAGOMAN_COMPILE=0` leaves it pure, `DRAGOMAN_COMPILE=1` fails rather than leave it pure. An editable install is
interpreted. What is compiled is listed in `pyproject.toml` under `tool.dragoman.compiled`. The sources stay in the
wheel beside the extensions, for tracebacks and for whoever wants to read them.
"""

import hashlib
import os
import shutil
import sys
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OPTIMISATION = "3"

# `make check` is what checks types, where every library is installed. Here what a library returns may be anything: calls of
# it are as slow either way.
TYPE_CHECKING = [
    "--ignore-missing-imports",
    "--follow-imports=silent",
    "--allow-subclassing-any",
    "--no-warn-return-any",
    "--no-warn-unused-ignores",
    "--no-warn-unreachable",
]


class CustomBuildHook(BuildHookInterface):
    """Adds one extension for each compiled module to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless this build is to be pure."""
        wish = os.environ.get("DRAGOMAN_COMPILE", "")
        if version == "editable" or wish == "0":
            return
        if not wish and not have_compiler():
            self.app.display_warning("no C compiler found: dragoman is installed interpreted, which is slower")
            return
        root = Path(self.root)
        extensions = compile_modules(root, compiled_sources(root))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        for path, place in extensions.items():
            build_data["force_include"][str(path)] = place


def have_compiler() -> bool:
    """Tell whether the C compiler that extensions of this interpreter are built with, or another, is installed."""
    configured = str(sysconfig.get_config_var("CC") or "cc").split()[0]
    return any(shutil.which(name) for name in (configured, "cc", "gcc", "clang"))


def compiled_sources(root: Path) -> list[str]:
    """Return the files to compile, relative to the root. A package's `__init__` has only a docstring: nothing to gain."""
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["dragoman"]["compiled"]
    found = [path for package in wanted["packages"] for path in (root / package).rglob("*.py")]
    found.extend(root / module for module in wanted["modules"])
    return sorted(path.relative_to(root).as_posix() for path in found if path.name != "__init__.py")


def compile_modules(root: Path, sources: list[str]) -> dict[Path, str]:
    """Compile and return each extension with its place in the wheel.

    What is there already from the same sources is used again: an installer asks for the metadata of a wheel and then for
    the wheel, and compiling takes minutes.
    """
    build = root / "build" / "mypyc"
    mark = build / "stamp"
    wanted = stamp(root, sources)
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir(parents=True)
        compile_into(build, root, sources)
        mark.write_text(wanted)
    lib = build / "lib"
    return {path: path.relative_to(lib).as_posix() for path in lib.rglob("*") if path.suffix in {".so", ".pyd"}}


def stamp(root: Path, sources: list[str]) -> str:
    """Return what tells one compilation from another: the sources, the interpreter and the compilers."""
    digest = hashlib.sha256(f"{sys.version} {metadata.version('mypy')} {OPTIMISATION}".encode())
    for name in ("CC", "CFLAGS"):
        digest.update(f"{name}={os.environ.get(name, '')} ".encode())
    for source in sources:
        digest.update(source.encode() + (root / source).read_bytes())
    return digest.hexdigest()


def compile_into(build: Path, root: Path, sources: list[str]) -> None:
    """Compile and leave the extensions in `build/lib`."""
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    before = Path.cwd()
    os.chdir(root)  # mypy resolves modules from here
    try:
        modules = mypycify(
            [*TYPE_CHECKING, *sources], opt_level=OPTIMISATION, target_dir=str(build / "c"), group_name="dragoman"
        )
        command = build_ext(Distribution({"name": "dragoman", "ext_modules": modules}))
        command.build_lib = str(build / "lib")
        command.build_temp = str(build / "temp")
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)
