"""The settings: one frozen value, built once. `runtime.settings_loader` reads them from files and environment.

Order of precedence: arguments, then environment `THREADBRIDGE_*` (nested keys with two underscores:
`THREADBRIDGE_UPSTREAM__BASE_URL`), then `threadbridge.toml` or `[tool.threadbridge]` in `pyproject.toml` of the
working directory, then the defaults below.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

#: Gives a bearer token when asked, for services that rotate them (Entra ID). Only as an argument, never from a file.
TokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]

#: The tenant of a request where no other is configured.
DEFAULT_TENANT: Final = "default"


def _validate_url(url: str) -> str:
    """What a request can be sent to; an empty one stands for none. Found wrong here, and not by every single run."""
    scheme, _, rest = url.partition("://")
    if url and not (scheme.lower() in {"http", "https"} and rest.strip("/")):
        raise PydanticCustomError("address", "it must be a URL that begins with http:// or https://")
    return url


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _validate_origin(origin: str) -> str:
    """Compared with what browsers send, letter by letter: one with a path would never be met."""
    if origin != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s*]+", origin):
        raise PydanticCustomError("origin", "it must be * or an origin without a path, such as https://example.org")
    return origin


Origin: TypeAlias = Annotated[str, AfterValidator(_validate_origin)]


def _normalize_host(host: str) -> str:
    """The host as it is compared with the `Host` header: in lower case. Raises an error for one with scheme or port."""
    host = host.lower()
    if not re.fullmatch(r"\*|[a-z0-9._-]+|\[[0-9a-f:.]+\]", host):
        raise PydanticCustomError("host", "it must be * or a host without scheme and port, such as bridge.example.org")
    return host.removesuffix(".")


HostName: TypeAlias = Annotated[str, AfterValidator(_normalize_host)]


class EndpointSettings(_Section):
    """How to reach one OpenAI-compatible service. What is not set is left to the openai SDK and its own environment."""

    base_url: Annotated[str, AfterValidator(_validate_url)] | None = None
    api_key: SecretStr | None = None
    token_provider: TokenProvider | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    #: Sent with every request, for instance `{"api-version": "v1"}`.
    query: dict[str, str] = Field(default_factory=dict)
    #: Use the SDK's AzureOpenAI client: `base_url` is the resource endpoint, the key travels as `api-key`.
    azure: bool = False
    api_version: str | None = None
    #: Seconds for one request, and how often the SDK tries again before the first byte of an answer.
    timeout: float = Field(default=600.0, gt=0)
    max_retries: int = Field(default=2, ge=0)


ProfileName: TypeAlias = Literal[
    "openai", "azure", "foundry", "vllm", "ollama", "llamacpp", "litellm", "generic", "ogx"
]


class CapabilitySettings(_Section):
    """What the Responses service can do, where its profile is wrong about it; None: as the profile says."""

    stored_responses: bool | None = None
    conversations: bool | None = None
    background: bool | None = None
    store_parameter: bool | None = None
    files: bool | None = None
    file_search: bool | None = None
    code_interpreter: bool | None = None
    input_tokens: bool | None = None
    compaction: bool | None = None
    encrypted_reasoning: bool | None = None
    forced_tool_choice: bool | None = None
    required_tool_choice: bool | None = None
    model_list: bool | None = None
    prompt_cache_key: bool | None = None


class UpstreamSettings(EndpointSettings):
    """The Responses service, and what it can be asked for."""

    #: Which kind of service it is (`responses.profiles`); `threadbridge doctor` finds out.
    profile: ProfileName = "openai"
    #: The adapter that reaches it, by the name of an entry point of the group `threadbridge.upstreams`.
    adapter: str = "openai"
    capabilities: CapabilitySettings = CapabilitySettings()


class AssistantsSettings(EndpointSettings):
    """The legacy service behind `backend = "assistants"`."""

    #: Whether `GET /threads` answers there (Foundry classic, ThreadBridge). OpenAI and Azure OpenAI never had it.
    list_threads: bool = False
    #: Whether a run's events can be followed and resumed there: ThreadBridge has it, OpenAI and Azure never had.
    follow_runs: bool = False
    #: Whether a run's report can be read there: ThreadBridge has it.
    report_runs: bool = False


def _treat_empty_key_as_none(key: SecretStr | None) -> SecretStr | None:
    """With an empty key the gateway would accept every request, and skip the checks of a gateway without a key."""
    return key if key is not None and key.get_secret_value().strip() else None


class GatewaySettings(_Section):
    """The HTTP door."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    #: Clients must present it (`Authorization: Bearer` or `api-key`); required when `host` is not loopback.
    api_key: Annotated[SecretStr | None, AfterValidator(_treat_empty_key_as_none)] = None
    #: Origins of the pages in browsers that may use it, as browsers write them: `https://example.org`; `*`: any.
    allowed_origins: tuple[Origin, ...] = ()
    #: Hosts by which clients may address it without a key, besides `localhost`, `127.0.0.1` and `[::1]`; `*`: any. With
    #: a key every host is accepted.
    allowed_hosts: tuple[HostName, ...] = ()
    #: Bytes of one request body to the Assistants API.
    max_body_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    #: Seconds of silence after which a stream sends a comment, so that no proxy closes it; 0: never.
    keep_alive_seconds: float = Field(default=15.0, ge=0)


#: More is a mistake, and sums of it would not fit into a store.
_MAX_DOLLARS = 1_000_000


#: Where the model's memory of a thread is.
HistoryMode: TypeAlias = Literal["local", "chained", "conversation"]


class Limits(_Section):
    """Every limit by name, with the legacy service's value as its default."""

    #: Seconds from a run's creation to its expiry (A60).
    run_expiry_seconds: int = Field(default=600, gt=0)
    #: Characters of a text in a message (A36); None: as many as fit into a request.
    message_characters: int | None = Field(default=None, gt=0)
    #: Messages in one `POST /threads`, and in `additional_messages` (A29, A50).
    messages_per_create: int = Field(default=32, gt=0)
    #: Length of a lease in seconds; after a crash, how long the run waits until another process recovers it.
    lease_seconds: float = Field(default=30.0, gt=0)
    #: Turns performed at the same time by one process; further runs stay queued.
    concurrent_turns: int = Field(default=256, gt=0)
    #: Events a slow reader of a stream may lag behind before the run waits for it.
    stream_buffer_events: int = Field(default=1024, gt=0)
    #: Seconds that a reader with a full buffer may read nothing before the run continues without it.
    stalled_reader_seconds: float = Field(default=30.0, gt=0)
    #: With the policy `queue`: seconds a request waits for a busy thread before it is refused after all.
    busy_wait_seconds: float = Field(default=30.0, ge=0)
    #: With the policy `queue`: requests that wait at the same time in one process; more are refused at once.
    busy_waiting_requests: int = Field(default=100, ge=0)
    #: Seconds for which the events of a run can be followed again after its end, from any of them on.
    replay_seconds: float = Field(default=600.0, ge=0)
    #: Bytes of events kept for that, for one run and for all; beyond them the oldest are forgotten first.
    replay_bytes_per_run: int = Field(default=4 * 1024 * 1024, ge=0)
    replay_bytes: int = Field(default=128 * 1024 * 1024, ge=0)
    #: US dollars that one run may cost: it fails before the request that would exceed them. None: any.
    run_dollars: float | None = Field(default=None, gt=0, le=_MAX_DOLLARS)
    #: The same for all runs of the tenant together, within so many days, of which today (UTC) is the last.
    tenant_dollars: float | None = Field(default=None, gt=0, le=_MAX_DOLLARS)
    tenant_dollars_days: int = Field(default=30, ge=1, le=3660)
    #: Seconds after which a sampling parameter that a model refused is tried again.
    refusal_seconds: float = Field(default=604_800.0, gt=0)
    #: Such refusals remembered of one service; beyond them the oldest are forgotten.
    refusals: int = Field(default=1000, gt=0)
    #: Days for which the service keeps a response to continue from (§9).
    stored_response_days: int = Field(default=30, gt=0)
    #: Seconds a turn waits for a conversation that another request holds, before it sends the full history.
    conversation_lock_seconds: float = Field(default=8.0, ge=0)
    #: Seconds given to running work when a backend is closed.
    drain_seconds: float = Field(default=5.0, ge=0)
    #: Seconds `cancel` waits for a working run to come to rest before it answers.
    cancel_wait_seconds: float = Field(default=2.0, ge=0)
    #: Seconds a request may take to put what it attaches where tools find it, at the service behind (A38).
    supply_seconds: float = Field(default=600.0, gt=0)
    #: Seconds after which what was made for a request or a run that was never written is removed, and the contents of
    #: a file that was deleted.
    abandoned_seconds: float = Field(default=3600.0, gt=0)
    #: Seconds a run waits for its thread's vector store to finish indexing (A56).
    index_wait_seconds: float = Field(default=60.0, ge=0)
    #: Seconds the end of a turn waits for the files that code made; a file that is not there by then is given up.
    copy_out_seconds: float = Field(default=60.0, ge=0)
    #: Bytes of one such file (A38).
    copied_file_bytes: int = Field(default=512 * 1024 * 1024, gt=0)
    #: Files of one container that are fetched at the same time.
    concurrent_copies: int = Field(default=20, gt=0)


UnknownCursorPolicy: TypeAlias = Literal["empty_page", "error"]
BusyThreadPolicy: TypeAlias = Literal["reject", "queue"]
SamplingPolicy: TypeAlias = Literal["drop", "error", "force_none"]
MissingToolPolicy: TypeAlias = Literal["leave_out", "refuse"]
UnknownPricePolicy: TypeAlias = Literal["refuse", "allow"]


class Policies(_Section):
    """Choices where the legacy service left one, or where a program may want another than it made."""

    #: What a list answers to a cursor it does not know (A14).
    unknown_cursor: UnknownCursorPolicy = "empty_page"
    #: What becomes of a run or a message for a thread with an active run: refused (A42, A52), or it waits its turn.
    busy_thread: BusyThreadPolicy = "reject"
    #: What becomes of `temperature` and `top_p` where the model asked refuses them: they are left out, the run is
    #: refused, or the model is told not to reason where that lets it take them (mapping §13).
    sampling: SamplingPolicy = "drop"
    #: What becomes of a run with a hosted tool the service lacks: the tool is left out with a warning, or the run is
    #: refused.
    missing_tool: MissingToolPolicy = "leave_out"
    #: What becomes of a run whose model has no known price where `limits` bound what it may cost.
    unknown_price: UnknownPricePolicy = "refuse"


class TruncationSettings(_Section):
    """How much of a long thread a model is shown where the run says `auto` (A79)."""

    #: `drop`: whole turns from the middle are left out; `compact`: the service makes a summary of its own of them.
    auto: Literal["drop", "compact"] = "drop"
    #: Tokens of one prompt for every model; None: what the window of the model an assistant was made for left for it.
    context_tokens: int | None = Field(default=None, gt=0)
    #: Tokens of a window that are kept for the answer, but never more than a quarter of it.
    answer_tokens: int = Field(default=4096, ge=0)
    #: `exact`: before each turn whose prompt is bounded the service is asked how long it is.
    counting: Literal["offline", "exact"] = "offline"
    #: How often it is asked for one turn, and the seconds one answer may take; then what is counted here holds.
    exact_requests: int = Field(default=3, ge=1, le=10)
    exact_seconds: float = Field(default=10.0, gt=0)
    #: How often a turn is asked for again, with a third less of the thread each time, where the service finds it longer
    #: than its model can read.
    overflow_retries: int = Field(default=5, ge=0, le=20)
    #: The context window of an unknown model.
    unknown_model_window: int = Field(default=128_000, gt=0)


class DoctorSettings(_Section):
    """What `threadbridge doctor` takes its time for."""

    #: Seconds for one request.
    timeout: float = Field(default=30.0, gt=0)
    #: Assistants, threads and runs of the store that are looked at: of each the newest.
    objects: int = Field(default=1000, gt=0)


class ModelOverride(_Section):
    """Which model to request instead of a name. Overrides the built-in map."""

    #: None: as without this override.
    model: str | None = None
    #: Tokens of one prompt, instead of what the model's window leaves for it.
    context_tokens: int | None = Field(default=None, gt=0)
    reasoning_effort: str | None = None
    #: Whether `temperature` and `top_p` are sent; None: as the table of models says.
    sampling: bool | None = None


class ModelPrice(_Section):
    """What a model costs, in US dollars for a million tokens. Comes before the list of genai-prices."""

    input: float = Field(ge=0, le=_MAX_DOLLARS)
    output: float = Field(ge=0, le=_MAX_DOLLARS)
    #: For the part of a prompt that the service had in its cache; None: as any other.
    cached_input: float | None = Field(default=None, ge=0, le=_MAX_DOLLARS)


class Fees(_Section):
    """What the service charges for hosted tools in addition to tokens, in US dollars; None: not priced."""

    file_search_call: float | None = Field(default=None, ge=0, le=_MAX_DOLLARS)


class Settings(_Section):
    """All settings of ThreadBridge."""

    #: `responses`, `assistants`, or a name under the entry point group `threadbridge.backends`.
    backend: str = "responses"
    #: SQLAlchemy URL of the store, or `:memory:`; None means a SQLite file in the user's data directory, or memory
    #: with `simulate`.
    store: str | None = None
    #: Where the contents of files that code made are kept: a directory, or an fsspec URL; None means a directory
    #: beside the store.
    files: str | None = None
    tenant: str = Field(default=DEFAULT_TENANT, min_length=1, max_length=64)
    #: Answer from the built-in simulator instead of a real Responses service.
    simulate: bool = False
    #: False: this process reads and writes threads but performs no runs, and needs no upstream; an export does so.
    performs_runs: bool = True
    #: What has runs advanced, by the name of an entry point of the group `threadbridge.executors`.
    executor: str = "inline"
    #: Whether the Responses service has file_search and code_interpreter, files and vector stores.
    hosted_tools: bool = True
    upstream: UpstreamSettings = UpstreamSettings()
    assistants: AssistantsSettings = AssistantsSettings()
    gateway: GatewaySettings = GatewaySettings()
    limits: Limits = Limits()
    policies: Policies = Policies()
    truncation: TruncationSettings = TruncationSettings()
    #: `local`: every request has all of it, and nothing need be kept elsewhere; `chained`: a response goes on from the
    #: last one, which the service keeps; `conversation`: the service keeps a conversation for each thread.
    history: HistoryMode = "local"
    models: dict[str, ModelOverride] = Field(default_factory=dict)
    #: Where `threadbridge models refresh` keeps the service's list of models; None: beside the user's own store.
    model_catalog: str | None = None
    #: The same for single assistants, by id; comes before `models`.
    per_assistant: dict[str, ModelOverride] = Field(default_factory=dict)
    #: By the name of the model that is asked, or that answers.
    prices: dict[str, ModelPrice] = Field(default_factory=dict)
    fees: Fees = Fees()
    doctor: DoctorSettings = DoctorSettings()
    #: Free-form settings for backends that are not ours.
    options: dict[str, Any] = Field(default_factory=dict)
