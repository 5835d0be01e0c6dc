"""A process that uses a client, forks while a run is active, and uses the client in the child and in the parent.

`forking_process.py STORE SEED` prints one line for each process: its name, the number of its completed runs, and the
ids of its threads.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import warnings

import threadbridge

RUNS = 3


def main(store: str, seed: int) -> None:
    """Fork once, at a moment of the seed."""
    warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads is what is tried here
    client = threadbridge.connect(store=f"sqlite:///{store}", simulate=True)
    assistant = client.assistants.create(model="gpt-4o")
    use_client(client, assistant.id)
    busy = threading.Thread(target=use_client, args=(client, assistant.id))
    busy.start()
    time.sleep(random.Random(seed).uniform(0, 0.1))
    pid = os.fork()
    if pid == 0:
        print("child", *use_client(client, assistant.id), flush=True)
        client.close()
        os._exit(0)
    print("parent", *use_client(client, assistant.id), flush=True)
    busy.join()
    _, status = os.waitpid(pid, 0)
    client.close()
    sys.exit(os.waitstatus_to_exitcode(status))


def use_client(client: threadbridge.ThreadBridge, assistant_id: str) -> list[str]:
    """The ids of a few threads, each with a completed run."""
    ids: list[str] = []
    for number in range(RUNS):
        thread = client.threads.create(messages=[{"role": "user", "content": f"SLOW 0.02\nSAY number {number}"}])
        run = client.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant_id, poll_interval_ms=5)
        if run.status == "completed":
            ids.append(thread.id)
    return ids


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
