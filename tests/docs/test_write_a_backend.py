"""The example backend of the page is found by its entry point and prints the documented output."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.docs.code_blocks import list_blocks

SECONDS = 60
GROUP = "threadbridge.backends"


def install(files: dict[str, str], directory: Path) -> None:
    """Write the files that pip would install: the modules and the metadata with the entry points."""
    directory.mkdir()
    described = tomllib.loads(files["pyproject.toml"])
    project = described["project"]
    for module in described["tool"]["setuptools"]["py-modules"]:
        (directory / f"{module}.py").write_text(files[f"{module}.py"])
    information = directory / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    information.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (information / "METADATA").write_text(metadata)
    lines = [f"{name} = {target}" for name, target in project["entry-points"][GROUP].items()]
    (information / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))


def test_the_example_backend_is_found_by_name_and_prints_the_output_of_the_page(tmp_path: Path) -> None:
    page = list_blocks("how-to/write-a-backend.md")
    files = {block.name: block.text for block in page if block.name is not None}
    (tmp_path / "use.py").write_text(files["use.py"])
    install(files, tmp_path / "installed")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "THREADBRIDGE_"))}

    result = subprocess.run(
        [sys.executable, "use.py"],
        cwd=tmp_path,
        env=inherited | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert (result.stdout, result.returncode) == (page[-1].text, 0), result.stderr
