"""Compile the generator with mypyc into `bench/.build/`, or say why it will run interpreted.

The folder holds a copy of `bench/load` in which every module but `__main__` is an extension; a stamp of the sources
and the interpreter tells when it is still good. mypyc is looked for in the running environment first and then in the
environments a checkout usually has.
"""

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
BUILD: Final = HERE / ".build"
ENVIRONMENTS: Final = (".venv", ".venv-compiled", ".venv-dev")  # beside this package
SETUP: Final = """\
import sys
from mypyc.build import mypycify
from setuptools import setup
setup(name="bench-load", packages=[], ext_modules=mypycify(sys.argv[3:], opt_level="3", verbose=False),
      script_args=["build_ext", "--build-lib", sys.argv[1], "--build-temp", sys.argv[2]])
"""


def sources() -> list[Path]:
    return sorted((HERE / "load").glob("*.py"))


def stamp() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in sources():
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def builders() -> list[str]:
    """List the interpreters of this version that have mypyc."""
    candidates = [Path(sys.executable)]
    candidates.extend(HERE.parent / name / "bin" / "python" for name in ENVIRONMENTS)
    probe = f"import mypyc.build, setuptools, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]!r})"
    return [
        str(python)
        for python in candidates
        if python.exists() and not subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode
    ]


def have_compiler() -> bool:
    command = str(sysconfig.get_config_var("CC") or "cc").split()[0]
    return any(shutil.which(name) for name in (command, "cc", "gcc", "clang"))


def generator_root(*, quiet: bool = False) -> Path:
    """Return the folder to start `python -m bench.load` in, compiling first if the sources have changed."""
    target = BUILD / "lib"
    mark = BUILD / "stamp"
    wanted = stamp()
    if mark.exists() and mark.read_text() == wanted:
        return target
    reason = ""
    found: list[str] = []
    if not have_compiler():
        reason = "no C compiler"
    else:
        found = builders()
        if not found:
            reason = "no mypyc; install 'mypy' and 'setuptools' beside it"
    if not reason:
        reason = compile_to(target, found[0])
    if reason:
        print(f"bench: the generator runs interpreted ({reason}); it may be the bottleneck", file=sys.stderr)
        return HERE.parent
    mark.write_text(wanted)
    if not quiet:
        print(f"bench: generator compiled into {BUILD.relative_to(HERE.parent)}", file=sys.stderr)
    return target


def compile_to(target: Path, python: str) -> str:
    """Compile; return why it failed, or an empty string."""
    shutil.rmtree(BUILD, ignore_errors=True)
    copy = BUILD / "source" / "bench"
    shutil.copytree(HERE / "load", copy / "load", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "__init__.py", copy)
    (BUILD / ".gitignore").write_text("*\n")
    modules = [f"bench/load/{path.name}" for path in sources() if path.stem not in ("__init__", "__main__")]
    command = [python, "-c", SETUP, str(target), str(BUILD / "temp"), *modules]
    done = subprocess.run(command, cwd=BUILD / "source", capture_output=True, text=True, check=False)
    if done.returncode:
        (BUILD / "log").write_text(done.stdout + done.stderr)
        return f"the build failed, see {(BUILD / 'log').relative_to(HERE.parent)}"
    (target / "bench" / "load").mkdir(parents=True, exist_ok=True)
    shutil.copy(copy / "__init__.py", target / "bench")
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(copy / "load" / name, target / "bench" / "load")
    return ""


if __name__ == "__main__":
    generator_root()
