from __future__ import annotations

import subprocess
import sys

_LOADED = """
import sys
import threadbridge_adapters.simulator
print(sorted({"starlette", "uvicorn", "openai", "httpx", "httpx2"} & set(sys.modules)))
"""


def test_the_simulator_needs_no_web_framework_and_no_sdk_until_it_is_served() -> None:
    printed = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, check=True, text=True).stdout

    assert printed.strip() == "[]"
