"""File search and code interpreter: their steps, their citations, the files they leave."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bridge.translation.event_order import EventOrderChecker, check_turn
from tests.bridge.translation.upstream_events import (
    NO_USAGE,
    RUN,
    STREAMS,
    WIRE_USAGE,
    annotation,
    call,
    cited_text,
    code,
    code_delta,
    code_stream,
    container_citation,
    created_events,
    file_citation,
    file_search,
    file_search_stream,
    final_event,
    image_output,
    item_added,
    item_done,
    logs,
    message,
    message_stream,
    output_text,
    response_stream,
    search_result,
    text_delta,
    translator,
)
from threadbridge.errors import TranslationError
from threadbridge.ports import Event
from threadbridge.translation.citations import CONTROL_CHARACTERS, strip_markers
from threadbridge.translation.error_classifier import ErrorKind, classify_error, get_event_error
from threadbridge.translation.generated_files import GeneratedFile
from threadbridge.translation.stream_translator import TurnTranslator, iterate_events
from threadbridge.translation.wire_objects import add_usage as summed

SEARCHING: Any = {
    **RUN,
    "tools": [
        {
            "type": "file_search",
            "file_search": {
                "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.2, "hybrid_search": None}
            },
        }
    ],
}


def fed(stream: Any, turn: TurnTranslator) -> list[Event]:
    return [event for upstream in stream for event in turn.translate(upstream)]


def outcome_of(turn: TurnTranslator) -> Any:
    """Any: the tests know the shapes of the objects."""
    assert turn.outcome is not None
    return turn.outcome


def outcome(stream: Any, **options: Any) -> Any:
    turn = translator(**options)
    fed(stream, turn)
    return outcome_of(turn)


def content(stream: Any, **options: Any) -> list[Any]:
    [entry] = [entry for entry in outcome(stream, **options).entries if entry.message]
    assert entry.message is not None
    shown: list[Any] = entry.message["content"]
    return shown


def text(stream: Any) -> Any:
    [part] = content(stream)
    shown: Any = part["text"]
    return shown


def told(events: list[Event]) -> list[tuple[str, Any]]:
    """Names, and what a delta says."""
    return [(event.name.removeprefix("thread."), event.data.get("delta")) for event in events]


def text_told(value: str, *annotations: Any, **fields: Any) -> tuple[str, Any]:
    shown = {"value": value, **({"annotations": list(annotations)} if annotations else fields)}
    return "message.delta", {"content": [{"index": 0, "type": "text", "text": shown}]}


def call_told(**fields: Any) -> tuple[str, Any]:
    return "run.step.delta", {"step_details": {"type": "tool_calls", "tool_calls": [{"index": 0, **fields}]}}


def marked(index: int, marker: str, start: int, file_id: str) -> Any:
    citation = {"file_id": file_id, "quote": ""}
    span = {"text": marker, "start_index": start, "end_index": start + len(marker)}
    return {"index": index, "type": "file_citation", **span, "file_citation": citation}


def test_a84_a87_a92_a_search_and_its_cited_answer_are_told_in_the_order_of_the_legacy_service() -> None:
    events = fed(STREAMS["file search"], translator(SEARCHING))

    first, second = "【4:1†b.txt】", "【4:0†a.txt】"
    options = {"ranker": "default_2024_08_21", "score_threshold": 0.2}
    assert told(events) == [
        ("run.step.created", None),
        ("run.step.in_progress", None),
        call_told(id="call_1", type="file_search", file_search={"ranking_options": options, "results": []}),
        ("run.step.completed", None),
        ("run.step.created", None),
        ("run.step.in_progress", None),
        ("message.created", None),
        ("message.in_progress", None),
        text_told("It is 𝄞", annotations=[]),
        text_told(" B"),
        text_told(first, marked(0, first, 9, "file-b")),
        text_told("."),
        text_told(second, marked(1, second, 21, "file-a")),
        ("message.completed", None),
        ("run.step.completed", None),
        ("run.completed", None),
    ]


def test_a_search_step_holds_the_results_with_their_content() -> None:
    step, _ = outcome(STREAMS["file search"], run=SEARCHING).steps

    assert step["status"] == "completed"
    assert step["usage"] == NO_USAGE
    assert step["step_details"]["tool_calls"] == [
        {
            "id": "call_1",
            "type": "file_search",
            "file_search": {
                "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.2},
                "results": [
                    {
                        "file_id": "file-a",
                        "file_name": "a.txt",
                        "score": 0.5,
                        "attributes": {},
                        "content": [{"type": "text", "text": "Alpha"}],
                    },
                    {
                        "file_id": "file-b",
                        "file_name": "b.txt",
                        "score": 0.5,
                        "attributes": {},
                        "content": [{"type": "text", "text": "Beta"}],
                    },
                ],
            },
        }
    ]


def test_a93_code_its_outputs_and_its_drawing_are_told_as_they_come() -> None:
    stream = response_stream(
        code_stream(0, code("plot()", logs("done"), image_output(b"png")), "plo", "t()"), message_stream(1, "See")
    )

    events = fed(stream, translator())

    assert told(events)[:8] == [
        ("run.step.created", None),
        ("run.step.in_progress", None),
        call_told(id="call_1", type="code_interpreter", code_interpreter={"input": "", "outputs": []}),
        call_told(type="code_interpreter", code_interpreter={"input": "plo"}),
        call_told(type="code_interpreter", code_interpreter={"input": "t()"}),
        call_told(
            type="code_interpreter", code_interpreter={"outputs": [{"index": 0, "type": "logs", "logs": "done"}]}
        ),
        call_told(
            type="code_interpreter",
            code_interpreter={"outputs": [{"index": 1, "type": "image", "image": {"file_id": "file-3"}}]},
        ),
        ("run.step.completed", None),
    ]
    assert told(events)[12:14] == [
        ("message.delta", {"content": [{"index": 0, "type": "image_file", "image_file": {"file_id": "file-3"}}]}),
        (
            "message.delta",
            {"content": [{"index": 1, "type": "text", "text": {"value": "See", "annotations": []}}]},
        ),
    ]


def test_a85_a86_a_drawing_is_in_front_of_the_text_and_a_cited_file_is_a_path() -> None:
    produced = outcome(STREAMS["code"]).files

    shown = [entry.message for entry in outcome(STREAMS["code"]).entries if entry.message][-1]

    picture, saved = produced
    assert picture == GeneratedFile(picture.file_id, f"{picture.file_id}.png", content=b"png")
    assert saved == GeneratedFile(saved.file_id, "a.csv", container_file=("cntr_1", "cfile_2"))
    path = "sandbox:/mnt/data/a.csv"
    assert shown["content"] == [
        {"type": "image_file", "image_file": {"file_id": picture.file_id}},
        {
            "type": "text",
            "text": {
                "value": f"See {path}!",
                "annotations": [
                    {
                        "type": "file_path",
                        "text": path,
                        "start_index": 4,
                        "end_index": 27,
                        "file_path": {"file_id": saved.file_id},
                    }
                ],
            },
        },
    ]


def test_a_drawing_whose_outputs_were_not_told_is_shown_when_it_is_cited() -> None:
    item = message(cited_text("See", container_citation("cfile_1", "cfile_1.png")))
    citation = annotation(0, 0, container_citation("cfile_1", "cfile_1.png"))

    streamed = content(
        [
            *created_events(),
            item_added(0, item),
            text_delta(0, "See"),
            citation,
            item_done(0, item),
            final_event([item]),
        ]
    )
    polled = content(iterate_events(final_event([item])["response"]))

    assert [part["type"] for part in streamed] == ["text", "image_file"]
    assert [part["type"] for part in polled] == ["image_file", "text"]


def test_every_call_of_a_hosted_tool_is_a_step_and_only_the_last_step_bears_usage() -> None:
    steps = outcome(STREAMS["code, text, code"]).steps

    assert [step["type"] for step in steps] == ["tool_calls", "message_creation", "tool_calls", "message_creation"]
    assert [step["usage"] for step in steps] == [NO_USAGE, NO_USAGE, NO_USAGE, WIRE_USAGE]


def test_a_search_nobody_answers_bears_the_usage() -> None:
    [step] = outcome(STREAMS["file search without an answer"]).steps

    assert step["usage"] == WIRE_USAGE


def test_a_call_that_was_over_when_the_turn_broke_is_completed_all_the_same() -> None:
    turn = translator()
    fed(STREAMS["file search"][:7], turn)

    turn.finish_stream()

    [step] = outcome_of(turn).steps
    assert (outcome_of(turn).run["status"], step["status"], step["last_error"]) == ("failed", "completed", None)


def test_markers_are_not_in_the_item_that_is_replayed() -> None:
    [_, entry] = outcome(STREAMS["file search"]).entries

    item: Any = entry.item
    assert item["content"][0]["text"] == "It is 𝄞 B."


def test_the_items_of_hosted_tools_are_kept_without_their_images() -> None:
    items = [entry.item for entry in outcome(STREAMS["code"]).entries]

    assert items[1] == code("plot()", logs("done"))


def test_a_citation_by_an_inner_id_names_the_file() -> None:
    search = file_search(search_result("inner-1", "a.txt", "Alpha", file_id="file-a"))
    item = message(cited_text("A", file_citation("inner-1", "a.txt", 1)))

    result = outcome(response_stream(file_search_stream(0, search), [item_done(1, item)]))

    [search_step, _] = result.steps
    shown: Any = result.entries[1].message
    assert search_step["step_details"]["tool_calls"][0]["file_search"]["results"][0]["file_id"] == "file-a"
    assert shown["content"][0]["text"]["annotations"][0]["file_citation"] == {"file_id": "file-a"}


def test_a_link_to_a_page_leaves_its_text_and_no_annotation() -> None:
    page = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}

    shown = text(response_stream([item_done(0, message(cited_text("A", page)))]))

    assert shown == {"value": "A", "annotations": []}


def test_files_nobody_searched_for_are_numbered_as_they_are_cited() -> None:
    cited = [file_citation(name, f"{name}.txt", 1) for name in ("x", "y", "x")]

    shown = text(response_stream([item_done(0, message(cited_text("A", *cited)))]))

    assert shown["value"] == "A【4:0†x.txt】【4:1†y.txt】【4:0†x.txt】"


def test_a_marker_waits_for_its_words_and_splits_the_fragment_it_belongs_in() -> None:
    item = message(cited_text("One two", file_citation("f", "f.txt", 3)))

    stream = [
        item_added(0, item),
        annotation(0, 0, file_citation("f", "f.txt", 3)),
        text_delta(0, "One two"),
        item_done(0, item),
    ]

    assert text(response_stream(stream))["value"] == "One【4:0†f.txt】 two"


def test_a_marker_that_comes_too_late_stands_where_the_text_had_come_to() -> None:
    item = message(cited_text("One two", file_citation("f", "f.txt", 3)))

    stream = [
        item_added(0, item),
        text_delta(0, "One two"),
        annotation(0, 0, file_citation("f", "f.txt", 3)),
        item_done(0, item),
    ]

    assert text(response_stream(stream))["value"] == "One two【4:0†f.txt】"


def test_a_path_behind_a_marker_is_cited_where_it_is_shown() -> None:
    words = "One sandbox:/mnt/data/a.csv"
    cited = (file_citation("f", "f.txt", 3), container_citation("cfile_2", "a.csv", 4, 27))

    shown = text(response_stream([item_done(0, message(cited_text(words, *cited)))]))

    [_, path] = shown["annotations"]
    assert (path["text"], path["start_index"]) == ("sandbox:/mnt/data/a.csv", 15)


# -- Control marks that a service leaves in the text -------------------------------------------------------------------

MARK = "\ue200filecite\ue202turn0file1\ue202L1-L3\ue201"


def show_marked(*fragments: str, cited: Any = (), done: bool = True) -> Any:
    """The text of a message in these fragments, after a search with two results."""
    results = (search_result("file-a", "a.txt", "A"), search_result("file-b", "b.txt", "B"))
    item = message(cited_text("".join(fragments), *cited))
    stream = [*(text_delta(1, fragment) for fragment in fragments), *([item_done(1, item)] if done else [])]
    return text(response_stream(file_search_stream(0, file_search(*results)), [item_added(1, item), *stream]))


@pytest.mark.parametrize(
    "fragments",
    [(f"One{MARK} two",), tuple(f"One{MARK} two"), ("One", MARK, " two"), ("One\ue200file", "cite", MARK[9:] + " two")],
)
@pytest.mark.parametrize("done", [False, True])
def test_a_mark_of_a_search_result_becomes_a_citation(fragments: tuple[str, ...], done: bool) -> None:
    shown = show_marked(*fragments, done=done)

    [annotation] = shown["annotations"]
    assert shown["value"] == "One【4:1†b.txt】 two"
    assert annotation["file_citation"] == {"file_id": "file-b"}
    assert shown["value"][annotation["start_index"] : annotation["end_index"]] == annotation["text"]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("One \ue200cite\ue202turn0search1\ue201two", "One two"),
        ("One \ue200filecite\ue202turn0file9\ue201two", "One two"),
        ("\ue200cite\ue202turn0search1\ue201", ""),
        ("One\ue201 t\ue202wo", "One two"),
        ("One \ue200two" + 400 * "x", "One two" + 400 * "x"),
        ("One \ue200two three", "One two three"),
        ("One\ue200cite\ue202turn0", "One"),
        ("One \ue200two \ue200cite\ue202turn0search1\ue201three", "One two three"),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_other_marks_are_removed_however_they_are_split(words: str, value: str, size: int) -> None:
    fragments = [words[start : start + size] for start in range(0, len(words), size)]

    shown = [show_marked(*fragments, done=done) for done in (False, True)]

    assert shown == [{"value": value, "annotations": []}] * 2


def test_what_a_mark_and_an_annotation_cite_is_cited_once() -> None:
    words = f"One{MARK} two sandbox:/mnt/data/a.csv"
    start = words.index("sandbox")
    cited = (file_citation("file-b", "b.txt", 3), container_citation("cfile_2", "a.csv", start, len(words)))

    shown = show_marked(words, cited=cited)

    assert shown["value"] == "One【4:1†b.txt】 two sandbox:/mnt/data/a.csv"
    assert [each["text"] for each in shown["annotations"]] == ["【4:1†b.txt】", "sandbox:/mnt/data/a.csv"]


def test_an_annotation_within_a_removed_mark_follows_it() -> None:
    words = "One\ue200cite\ue202turn0search1\ue201 two"

    shown = text(response_stream([item_done(0, message(cited_text(words, file_citation("f", "f.txt", 8))))]))

    assert shown["value"] == "One【4:0†f.txt】 two"


@given(st.lists(st.text(st.sampled_from("ab \ue200\ue201\ue202é"), max_size=6), max_size=8))
def test_text_with_marks_is_the_same_however_it_is_split(fragments: list[str]) -> None:
    words = "x" + "".join(fragments)

    split, whole = show_marked("x", *fragments), show_marked(words)

    assert split == whole
    assert CONTROL_CHARACTERS.search(split["value"]) is None


# -- Files nobody cited ----------------------------------------------------------------------------------------------


def lying(name: str, *, id: str = "cfile_9", source: str = "assistant") -> Any:
    return {"id": id, "object": "container.file", "path": f"/mnt/data/{name}", "source": source, "bytes": 3}


def discovered(*files: Any, said_before: str = "Look", **options: Any) -> tuple[EventOrderChecker, TurnTranslator]:
    turn = translator(**options)
    stream = response_stream(code_stream(0, code("1"), "1"), message_stream(1, said_before))
    before = fed(stream[:-1], turn)
    events = [*before, *turn.add_container_files(files), *turn.translate(stream[-1])]
    return check_turn(events), turn


def test_an_image_nobody_cited_is_shown_behind_the_text() -> None:
    judge, turn = discovered(lying("plot.png"))

    [file] = outcome_of(turn).files
    [[_, picture]] = judge.parts_by_message.values()
    assert picture == {"type": "image_file", "image_file": {"file_id": file.file_id}}


def test_a_drawing_that_was_saved_too_is_shown_once_and_kept_twice() -> None:
    turn = translator()
    stream = response_stream(code_stream(0, code("plot()", image_output(b"png")), "plot()"), message_stream(1, "Look"))
    before = fed(stream[:-1], turn)

    judge = check_turn([*before, *turn.add_container_files([lying("plot.png")]), *turn.translate(stream[-1])])

    [parts] = judge.parts_by_message.values()
    assert [part["type"] for part in parts] == ["image_file", "text"]
    assert [file.filename for file in outcome_of(turn).files][1:] == ["plot.png"]


def test_a_file_that_is_named_and_not_cited_is_a_path() -> None:
    judge, turn = discovered(lying("a.csv"), said_before="See sandbox:/mnt/data/a.csv")

    [file] = outcome_of(turn).files
    [[part]] = judge.parts_by_message.values()
    [annotation] = part["text"]["annotations"]
    assert (annotation["text"], annotation["file_path"]) == ("sandbox:/mnt/data/a.csv", {"file_id": file.file_id})


_CAFE = "caf\u00e9 1.csv"
_CAFE_DECOMPOSED = "cafe\u0301 1.csv"


@pytest.mark.parametrize(
    ("names", "words", "mentions"),
    [
        (["my report.csv"], "[it](sandbox:/mnt/data/my%20report.csv).", ["sandbox:/mnt/data/my%20report.csv"]),
        (["50%20.csv"], "sandbox:/mnt/data/50%20.csv", ["sandbox:/mnt/data/50%20.csv"]),
        (["报告.csv"], "见sandbox:/mnt/data/%e6%8A%A5告.csv。", ["sandbox:/mnt/data/%e6%8A%A5告.csv"]),
        ([_CAFE], f"sandbox:/mnt/data/{_CAFE_DECOMPOSED}", [f"sandbox:/mnt/data/{_CAFE_DECOMPOSED}"]),
        ([_CAFE_DECOMPOSED], f"sandbox:/mnt/data/{_CAFE}", [f"sandbox:/mnt/data/{_CAFE}"]),
        ([_CAFE], "sandbox:/mnt/data/cafe%CC%81%201.csv", ["sandbox:/mnt/data/cafe%CC%81%201.csv"]),
        ([_CAFE_DECOMPOSED], "sandbox:/mnt/data/caf%C3%A9 1.csv", ["sandbox:/mnt/data/caf%C3%A9 1.csv"]),
        (["a.csv"], "sandbox:/mnt/data/a.csv.gz, sandbox:/mnt/data/a.csv", ["sandbox:/mnt/data/a.csv"]),
        (["a"], "sandbox:/mnt/data/a.csv sandbox:/mnt/data/a-b sandbox:/mnt/data/a/b", []),
        (
            ["a", "a b"],
            "sandbox:/mnt/data/a b or sandbox:/mnt/data/a.",
            ["sandbox:/mnt/data/a", "sandbox:/mnt/data/a b"],
        ),
        (["a.csv"], "sandbox:/mnt/data/a.csv and sandbox:/mnt/data/a.csv", ["sandbox:/mnt/data/a.csv"] * 2),
    ],
)
def test_mentions_of_a_file_are_paths_however_they_are_written(
    names: list[str], words: str, mentions: list[str]
) -> None:
    files = [lying(name, id=f"cfile_{number}") for number, name in enumerate(names)]
    judge, _ = discovered(*files, said_before=words)

    [[part]] = judge.parts_by_message.values()
    annotations = part["text"]["annotations"]
    assert [annotation["text"] for annotation in annotations] == mentions
    assert [words[each["start_index"] : each["end_index"]] for each in annotations] == mentions
    assert len({each["file_path"]["file_id"] for each in annotations}) == len(set(mentions))


def test_a_mention_of_a_file_of_an_earlier_turn_is_a_path() -> None:
    judge, turn = discovered(
        lying("a.csv"), said_before="Again sandbox:/mnt/data/a.csv", known_files={("cntr_1", "cfile_9"): "file-old"}
    )

    [[part]] = judge.parts_by_message.values()
    [annotation] = part["text"]["annotations"]
    assert annotation["file_path"] == {"file_id": "file-old"}
    assert outcome_of(turn).files == ()


def test_a_mention_that_the_service_cited_is_cited_once_and_the_others_too() -> None:
    words = "See sandbox:/mnt/data/a.csv or sandbox:/mnt/data/a.csv"
    cited = message(cited_text(words, container_citation("cfile_9", "a.csv", 4, 27)))
    turn = translator()
    stream = response_stream(code_stream(0, code("1"), "1"), [item_done(1, cited)])
    before = fed(stream[:-1], turn)

    judge = check_turn([*before, *turn.add_container_files([lying("a.csv")]), *turn.translate(stream[-1])])

    [[part]] = judge.parts_by_message.values()
    assert [annotation["start_index"] for annotation in part["text"]["annotations"]] == [4, 31]


def test_a_file_nobody_speaks_of_is_kept() -> None:
    judge, turn = discovered(lying("a.csv"))

    assert [file.filename for file in outcome_of(turn).files] == ["a.csv"]
    [[part]] = judge.parts_by_message.values()
    assert part["text"]["annotations"] == []


@pytest.mark.parametrize(
    ("file", "known"),
    [(lying("a.csv", source="user"), {}), (lying("a.csv"), {("cntr_1", "cfile_9"): "file-old"})],
    ids=["the user's own", "of an earlier turn"],
)
def test_files_that_are_not_new_are_left_alone(file: Any, known: Any) -> None:
    _, turn = discovered(file, known_files=known)

    assert outcome_of(turn).files == ()


def test_nothing_is_discovered_where_no_code_ran() -> None:
    turn = translator()

    assert turn.add_container_files([lying("a.csv")]) == []
    assert turn.generated_files == []


# -- Spans -----------------------------------------------------------------------------------------------------------

_WORDS = st.text(st.sampled_from("ab 𝄞é👩‍🚀【】†"), min_size=1, max_size=12)
_NAMES = st.sampled_from(["a.txt", "b】.txt", "ü𝄞.pdf"])


@st.composite
def cited_messages(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    """A message, and its stream: fragments of any size, citations at any time."""
    words = draw(_WORDS)
    places = draw(st.lists(st.integers(0, len(words) + 2), max_size=5))
    citations = [file_citation(draw(st.sampled_from("xyz")), draw(_NAMES), place) for place in places]
    spans = draw(st.lists(st.tuples(st.integers(0, len(words)), st.integers(0, len(words))), max_size=2))
    citations += [container_citation(f"cfile_{n}", "a.csv", *sorted(span)) for n, span in enumerate(spans)]
    item = message(cited_text(words, *citations))
    cuts = sorted(draw(st.lists(st.integers(0, len(words)), max_size=4)))
    fragments = [words[start:end] for start, end in zip([0, *cuts], [*cuts, len(words)], strict=True)]
    events = [text_delta(0, fragment) for fragment in fragments[: draw(st.integers(0, len(fragments)))]]
    for number in draw(st.permutations(range(len(citations)))):
        at = draw(st.integers(0, len(events)))
        events[at:at] = [annotation(0, number, citations[number])] if draw(st.booleans()) else []
    return item, [*created_events(), item_added(0, item), *events, item_done(0, item), final_event([item])]


@given(cited_messages())
def test_what_an_annotation_says_it_covers_is_what_it_covers(made: tuple[Any, list[Any]]) -> None:
    item, stream = made

    judge = check_turn(fed(stream, translator()))

    [parts] = judge.parts_by_message.values()
    [shown] = [part["text"] for part in parts if part["type"] == "text"]
    for span in shown["annotations"]:
        assert shown["value"][span["start_index"] : span["end_index"]] == span["text"] != ""
    markers = sum(span["type"] == "file_citation" for span in shown["annotations"])
    assert markers == sum(cited["type"] == "file_citation" for cited in item["content"][0]["annotations"])


@given(cited_messages())
def test_at_every_moment_of_the_stream_what_was_told_of_an_annotation_is_true(made: tuple[Any, list[Any]]) -> None:
    _, stream = made

    told = ""
    for event in fed(stream, translator()):
        for text in (part["text"] for part in delta_parts(event) if part["type"] == "text"):
            told += text["value"]
            for span in text.get("annotations", ()):
                assert told[span["start_index"] : span["end_index"]] == span["text"]


def delta_parts(event: Event) -> list[Any]:
    parts: list[Any] = event.data["delta"]["content"] if event.name == "thread.message.delta" else []
    return parts


@given(cited_messages())
def test_without_its_markers_a_text_is_what_the_model_said(made: tuple[Any, list[Any]]) -> None:
    item, stream = made

    [entry] = outcome(stream).entries

    assert entry.message is not None
    [shown] = [part["text"] for part in entry.message["content"] if part["type"] == "text"]
    said_text = shown["value"]
    for span in sorted(shown["annotations"], key=lambda each: -each["start_index"]):
        cut = span["type"] == "file_citation"
        said_text = said_text[: span["start_index"]] + said_text[span["end_index"] :] if cut else said_text
    assert said_text == item["content"][0]["text"]


def test_markers_are_taken_out_of_texts_that_only_their_words_are_known_of() -> None:
    assert strip_markers("One【4:0†a.txt】 two【12:3†source】.") == "One two."


def test_a_run_of_function_calls_after_a_search_leaves_the_search_completed() -> None:
    result = outcome(STREAMS["file search, then call"])

    assert [step["status"] for step in result.steps] == ["completed", "in_progress"]
    assert result.run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"] == call()["call_id"]


# -- A container dies ------------------------------------------------------------------------------------------------

_EXPIRED: Any = {"code": "server_error", "message": "Container is expired."}
_LOST = final_event([{**code("2", number=2), "status": "incomplete"}], status="failed", error=_EXPIRED)
_DYING = [
    *code_stream(0, code("plot()", image_output(b"png")), "plot()"),
    item_added(1, code("2", number=2)),
    code_delta(1, "2", number=2),
]
_LAST_ERROR: Any = {"code": "server_error", "message": "Container is expired."}


def test_a_turn_that_starts_over_keeps_what_was_told_and_counts_what_was_lost() -> None:
    turn = translator()
    before = fed([*created_events(), *_DYING], turn)

    lost = turn.start_over(_LOST)
    after = fed(STREAMS["text"], turn)

    check_turn([*before, *lost, *after])
    over = outcome_of(turn)
    assert [event.name for event in lost] == ["thread.run.step.failed"]
    assert [(step["type"], step["status"]) for step in over.steps] == [
        ("tool_calls", "completed"),
        ("tool_calls", "failed"),
        ("message_creation", "completed"),
    ]
    assert over.steps[1]["last_error"] == _LAST_ERROR
    assert over.run["usage"] == over.turn.usage == over.steps[-1]["usage"] == summed(WIRE_USAGE, WIRE_USAGE)
    assert [entry.item["type"] for entry in over.entries if entry.item] == ["message"]


def test_images_of_a_lost_response_are_in_its_steps_only() -> None:
    turn = translator()
    fed([*created_events(), *_DYING], turn)
    turn.start_over(_LOST)

    fed(response_stream(code_stream(0, code("2", number=3), "2", number=3), message_stream(1, "Two")), turn)

    [entry] = [entry for entry in outcome_of(turn).entries if entry.message]
    assert entry.message is not None
    assert [part["type"] for part in entry.message["content"]] == ["text"]
    assert [file.content for file in outcome_of(turn).files] == [b"png"]


@pytest.mark.parametrize("told", [message_stream(0, "Well"), [item_added(0, call())]], ids=["words", "a function call"])
def test_what_was_said_cannot_be_said_again(told: list[Any]) -> None:
    turn = translator()
    fed([*created_events(), *told], turn)

    with pytest.raises(TranslationError, match="cannot be retracted"):
        turn.start_over(_LOST)

    assert not turn.can_start_over


def is_container_lost(event: Any) -> bool:
    error = get_event_error(event)
    return error is not None and ErrorKind.CONTAINER_LOST in [match.kind for match in classify_error(error, {})]


@pytest.mark.parametrize(
    "event",
    [
        _LOST,
        {"type": "error", "error": {"code": "container_expired", "message": "The container has expired."}},
        {"type": "error", "code": None, "message": "Container with id 'cntr_1' not found."},
    ],
)
def test_a_response_that_its_container_ended_is_recognized(event: Any) -> None:
    assert is_container_lost(event)


@pytest.mark.parametrize(
    "event",
    [
        final_event([], status="failed", error={"code": "server_error", "message": "The vector store has expired."}),
        final_event([], status="failed", error=None),
        final_event([message(output_text("My container is expired."))]),
        {"type": "error", "error": "Container is expired."},
    ],
)
def test_other_ends_are_not_taken_for_a_dead_container(event: Any) -> None:
    assert not is_container_lost(event)
