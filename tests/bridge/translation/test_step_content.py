from __future__ import annotations

from typing import Any

from threadbridge.ports import Event
from threadbridge.translation.hosted_tools.registry import strip_event_search_content, strip_search_content


def searched(**result: object) -> Any:
    search: Any = {"ranking_options": {}, "results": [{"file_id": "file-a", **result}]}
    return step({"id": "call_1", "type": "file_search", "file_search": search})


def step(*calls: Any) -> Any:
    return {"id": "step_1", "step_details": {"type": "tool_calls", "tool_calls": list(calls)}}


FOUND = searched(content=[{"type": "text", "text": "Alpha"}])


def test_results_are_shown_without_what_was_found() -> None:
    assert strip_search_content(FOUND) == searched()


def test_what_is_stored_stays_whole() -> None:
    strip_search_content(FOUND)

    assert "content" in FOUND["step_details"]["tool_calls"][0]["file_search"]["results"][0]


def test_other_steps_are_shown_as_they_are() -> None:
    code = step({"id": "call_1", "type": "code_interpreter", "code_interpreter": {"input": "", "outputs": []}})

    assert strip_search_content(code) is code


def test_only_the_end_of_a_step_tells_results() -> None:
    completed = strip_event_search_content(Event("thread.run.step.completed", FOUND))
    other = Event("thread.message.delta", {})

    assert completed == Event("thread.run.step.completed", searched())
    assert strip_event_search_content(other) is other
