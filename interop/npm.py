"""Clients that run in Node.js, installed from npm into a cache folder, once.

Without Node.js, or without the registry, the tests that want them are skipped.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

PACKAGES: Final = ("mqtt@5.16.0", "@stomp/stompjs@7.5.0", "stompit@1.0.0", "ws@8.23.0")
INSTALL_LIMIT_S: Final = 120.0


def installed() -> Path:
    """Return the folder that has them."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dragoman-interop"
    stamp = cache / "installed"
    if not stamp.exists() or stamp.read_text().split() != list(PACKAGES):
        cache.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(cache), *PACKAGES]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_LIMIT_S)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"npm cannot install the clients: {error}")
        stamp.write_text(" ".join(PACKAGES))
    return cache
