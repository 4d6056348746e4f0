"""What every file must have: a purpose, a size that one reads at a sitting, and nothing left for later."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, modules, parsed

LIMIT_LINES = 400
EVERYWHERE = (*PACKAGES, "tests", "interop", "bench")

LEFT_FOR_LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError|NotImplemented|breakpoint|pdb)\b")
EMPTY_NAMES = re.compile(r"(Manager|Helper|Utils?|Base|Impl)$")
SLEEPS = re.compile(r"\btime\.sleep\(|\bfrom time import .*\bsleep\b")


def test_no_file_is_longer_than_one_idea() -> None:
    sizes = {path: len((ROOT / path).read_text().splitlines()) for path in modules(*EVERYWHERE)}
    long = {path: size for path, size in sizes.items() if size > LIMIT_LINES}
    assert not long, "look for the second idea in: " + ", ".join(
        f"{path} ({size} lines)" for path, size in long.items()
    )


@pytest.mark.parametrize("path", modules(*EVERYWHERE), ids=str)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(parsed(path))
    assert docstring, f"{path} has no docstring"
    first = docstring.splitlines()[0]
    assert len(first) > 10, f"{path} says only {first!r}"


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=str)
def test_every_public_class_says_what_it_is(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ClassDef):
            assert node.name.startswith("_") or ast.get_docstring(node), f"{path}: {node.name} has no docstring"
            assert not EMPTY_NAMES.search(node.name), f"{path}: {node.name} does not say what it is"


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=str)
def test_nothing_is_left_for_later(path: Path) -> None:
    for number, line in enumerate((ROOT / path).read_text().splitlines(), start=1):
        assert not LEFT_FOR_LATER.search(line), f"{path}:{number}: {line.strip()}"


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=str)
def test_names_say_what_files_hold(path: Path) -> None:
    assert not re.search(r"(^|_)(utils?|helpers?|misc|common|base)(_|$)", path.stem), path


@pytest.mark.parametrize("path", modules("tests"), ids=str)
def test_no_test_sleeps(path: Path) -> None:
    if path.name != Path(__file__).name:
        assert not SLEEPS.search((ROOT / path).read_text()), f"{path} sleeps"


def test_the_folders_of_tests_mirror_the_packages() -> None:
    """Every folder of tests is named after a folder of the code, or is one of the kinds that go across it."""
    across = {"architecture", "models", "vectors", "conformance"}
    for path in (ROOT / "tests").rglob("__init__.py"):
        folder = path.parent.relative_to(ROOT / "tests")
        if folder.parts and folder.parts[0] not in across and "vectors" not in folder.parts:
            assert (ROOT / folder).is_dir(), f"tests/{folder} mirrors nothing"


def test_every_package_of_tests_has_an_init() -> None:
    for path in modules("tests"):
        assert (ROOT / path.parent / "__init__.py").is_file(), f"{path.parent} has no __init__.py"
