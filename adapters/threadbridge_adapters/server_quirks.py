"""The quirks of other Responses servers that the simulator can have (`threadbridge simulate --manner`)."""

from __future__ import annotations

from enum import StrEnum


class ServerQuirk(StrEnum):
    """One difference of another server from OpenAI's service."""

    #: S1: `conversation` is accepted as a string only and not echoed.
    CONVERSATION_BY_STRING = "conversation-by-string"
    #: S2: `items` of a new conversation are dropped silently.
    DROPS_FIRST_ITEMS = "drops-first-items"
    #: S3: a call without an output, or an output without a call, is accepted.
    TAKES_OPEN_CALLS = "takes-open-calls"
    #: S4: no `output_text.done`, no message "added" after a file search, numbers with gaps.
    PATCHY_STREAMS = "patchy-streams"
    #: S5: the reason `length`, stored items with a null status, usage with fewer details.
    SPARSE_OBJECTS = "sparse-objects"
    #: S6: an error is `{"detail": …}`.
    DETAIL_ERRORS = "detail-errors"
    #: S6: an error has a message and nothing else.
    TERSE_ERRORS = "terse-errors"
    #: S7: background and stream exclude each other.
    NO_BACKGROUND_STREAMS = "no-background-streams"
    #: S7: no background responses.
    NO_BACKGROUND = "no-background"
    #: S7: a background response is produced while the client waits.
    INLINE_BACKGROUND = "inline-background"
    #: S8: file ids are internal ones, with the real id among the attributes; scores may exceed 1.
    INNER_FILE_IDS = "inner-file-ids"
    #: S9: no `input_tokens`, no models, no compaction; lists without their paging fields.
    FEW_PATHS = "few-paths"
    #: S10: the tool choice `required` is ignored.
    NO_REQUIRED_CHOICE = "no-required-choice"
    #: S10: one model responds to requests for any model.
    ONE_MODEL = "one-model"
    #: S11: responses are not stored.
    FORGETS = "forgets"
    #: S11: any `previous_response_id` is accepted and ignored.
    TAKES_ANY_PREVIOUS = "takes-any-previous"
    #: S11: no conversations.
    NO_CONVERSATIONS = "no-conversations"
    #: S12: no containers and no code_interpreter.
    NO_CONTAINERS = "no-containers"
    #: S12: no files, no vector stores and no file_search.
    NO_FILES = "no-files"
    #: S13: a conversation is never locked.
    NO_LOCKS = "no-locks"
    # Parameters that some server or model rejects, each in the words of another one (public issue reports).
    #: `parallel_tool_calls`, as OpenAI's o-series.
    NO_PARALLEL_CALLS = "no-parallel-calls"
    #: `reasoning`, as older Azure deployments.
    NO_EFFORT = "no-effort"
    #: `temperature` and `top_p`, as Anthropic models behind a proxy.
    NO_SAMPLING = "no-sampling"
    #: `prompt_cache_key`, as servers that forbid unknown fields (pydantic).
    NO_CACHE_KEY = "no-cache-key"
    #: `include`, as servers that know only some parameters.
    NO_INCLUDE = "no-include"
    #: A stored response, as the Codex backend.
    NO_STORE = "no-store"
    #: Too long an input is rejected in the words of an Anthropic model.
    OVERFLOW_WORDS = "overflow-words"
    #: A failure in a stream is an `error` object without a type, and the stream ends.
    UNTYPED_STREAM_ERRORS = "untyped-stream-errors"
    #: A failure in a stream is an SSE event named `error` whose data has the fields of the error and no type.
    NAMED_STREAM_ERRORS = "named-stream-errors"
    #: A failure in a stream is an event `response.error`.
    RESPONSE_ERROR_EVENTS = "response-error-events"
