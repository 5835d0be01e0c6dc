"""Run by `.ci/wheel` with nothing but the installed wheel: does what a new user does first."""

from __future__ import annotations

import warnings
from importlib.metadata import entry_points, files

import threadbridge

warnings.simplefilter("ignore", DeprecationWarning)


def main() -> None:
    """A run through each in-process door; every entry point loads; only the packages of ThreadBridge were installed."""
    with threadbridge.connect(simulate=True, store=":memory:") as bridge:
        assistant = bridge.assistants.create(model="gpt-4o")
        thread = bridge.threads.create(messages=[{"role": "user", "content": "SAY hello"}])
        run = bridge.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        expect(run.status, "completed")

    client = threadbridge.openai_client(simulate=True, store=":memory:")
    client_assistant = client.beta.assistants.create(model="gpt-4o")
    expect(client.beta.assistants.retrieve(client_assistant.id).id, client_assistant.id)
    client.close()

    for group in ("backends", "stores", "doors", "commands"):
        for entry in entry_points(group=f"threadbridge.{group}"):
            entry.load()
    tops = {file.parts[0] for file in files("threadbridge") or () if not file.parts[0].startswith("..")}
    ours = {top for top in tops if not top.endswith(".dist-info")}
    expect(ours, {"threadbridge", "threadbridge_adapters", "threadbridge_migrate"})
    print("the wheel works")  # noqa: T201  a script's last word


def expect(actual: object, expected: object) -> None:
    """An assertion that `python -O` does not remove."""
    if actual != expected:
        raise SystemExit(f"found {actual!r}, wanted {expected!r}")


main()
