"""The real clock and the real source of ids."""

from __future__ import annotations

import asyncio
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

from threadbridge.runtime.clock_and_ids import SystemClock, new_id


def test_a9_c1_an_id_is_a_prefix_and_24_letters_and_digits() -> None:
    made = [new_id("thread") for _ in range(1000)]

    assert all(re.fullmatch(r"thread_[A-Za-z0-9]{24}", one) for one in made)


def test_no_id_is_given_twice_to_threads_that_ask_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(new_id, ["run"] * 20_000))

    assert len(set(made)) == len(made)


def test_a_forked_child_does_not_give_out_its_parents_ids() -> None:
    new_id("run")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id("run").encode())
        os._exit(0)
    os.waitpid(child, 0)

    told = os.read(reading, 100).decode()

    os.close(reading)
    os.close(writing)
    assert told not in {new_id("run") for _ in range(64)}


async def test_the_clock_calls_later_unless_it_is_called_off() -> None:
    called: list[float] = []
    clock, began = SystemClock(), time.monotonic()

    clock.call_later(0.01, lambda: called.append(time.monotonic() - began))
    clock.call_later(0.01, lambda: called.append(-1.0))()
    await asyncio.sleep(0.05)

    assert [seconds >= 0.01 for seconds in called] == [True]
