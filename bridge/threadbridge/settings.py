"""The settings, as one immutable value. `runtime.settings_loader` reads them from files and environment.

Order of precedence: arguments, then environment `THREADBRIDGE_*` (nested keys with two underscores:
`THREADBRIDGE_UPSTREAM__BASE_URL`), then `threadbridge.toml` or `[tool.threadbridge]` in `pyproject.toml` of the
working directory, then the defaults below.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from threadbridge.api_types import JsonObject, is_json_object

#: Returns a bearer token, for services with changing tokens (Entra ID). Only an argument can set it, not a file.
TokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]

#: The default of `limits.response_bytes`.
DEFAULT_RESPONSE_BYTES: Final = 64 * 1024 * 1024

#: The default tenant of requests.
DEFAULT_TENANT: Final = "default"


def split_credentials(url: str) -> tuple[str, str | None]:
    """A URL without its user and password, and the `Authorization` header for them; None if it has none."""
    scheme, _, rest = url.partition("://")
    end = re.search(r"[/?#]", rest)
    host = rest[: end.start()] if end else rest
    credentials, at, _ = host.rpartition("@")
    if not at:
        return url, None
    encoded = b64encode(unquote(credentials).encode()).decode()
    return f"{scheme}://{rest[len(credentials) + 1 :]}", f"Basic {encoded}"


def _validate_url(url: str) -> str:
    """A URL that requests can be sent to; empty means none. Checked here, so that not every run fails."""
    scheme, _, rest = url.partition("://")
    if url and not (scheme.lower() in {"http", "https"} and rest.strip("/")):
        raise PydanticCustomError("address", "it must be a URL that begins with http:// or https://")
    return url


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _validate_origin(origin: str) -> str:
    """An origin as browsers send it: one with a path would never match."""
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


def _treat_empty_key_as_none(key: SecretStr | None) -> SecretStr | None:
    """An empty key is no key. With one, a gateway would accept every request, and skip the checks of one without."""
    return key if key is not None and key.get_secret_value().strip() else None


class EndpointSettings(_Section):
    """How to reach one OpenAI-compatible service. The openai SDK reads unset values from its own variables."""

    base_url: Annotated[str, AfterValidator(_validate_url)] | None = None
    api_key: Annotated[SecretStr | None, AfterValidator(_treat_empty_key_as_none)] = None
    token_provider: TokenProvider | None = None
    #: Headers of every request. They may contain secrets, as the query does.
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    #: Query parameters of every request, for instance `{"api-version": "v1"}`.
    query: dict[str, str] = Field(default_factory=dict, repr=False)
    #: Use the SDK's AzureOpenAI client: `base_url` is the resource endpoint, and the key is sent as `api-key`.
    azure: bool = False
    api_version: str | None = None
    #: Seconds for one request, and how often the SDK repeats a request before the first byte of its response.
    timeout: float = Field(default=600.0, gt=0)
    max_retries: int = Field(default=2, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _move_credentials(cls, values: Any) -> Any:
        """Send the user and the password of `base_url` in a header: the HTTP libraries differ in what they do.

        They are not part of the URL then, which appears in messages.
        """
        url: object = values.get("base_url") if is_json_object(values) else None
        if not isinstance(url, str):
            return values
        url, authorization = split_credentials(url)
        if authorization is None:
            return values
        headers: object = values.get("headers") or {}
        if not is_json_object(headers):
            return values
        return {**values, "base_url": url, "headers": {"Authorization": authorization, **headers}}


ProfileName: TypeAlias = Literal[
    "openai", "azure", "foundry", "vllm", "ollama", "llamacpp", "litellm", "generic", "ogx"
]


class CapabilitySettings(_Section):
    """Capabilities of the Responses service that differ from its profile; None: as in the profile."""

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
    """The Responses service and its capabilities."""

    #: The kind of service (`docs/reference/provider-profiles.md`); `threadbridge doctor` detects it.
    profile: ProfileName = "openai"
    #: The adapter for it: the name of an entry point of the group `threadbridge.upstreams`.
    adapter: str = "openai"
    capabilities: CapabilitySettings = CapabilitySettings()


class AssistantsSettings(EndpointSettings):
    """The legacy service behind `backend = "assistants"`."""

    #: Whether it supports `GET /threads` (Foundry classic and ThreadBridge do; OpenAI and Azure OpenAI never did).
    list_threads: bool = False
    #: Whether it can follow and resume the events of a run (ThreadBridge does; OpenAI and Azure never did).
    follow_runs: bool = False
    #: Whether it has reports of runs (ThreadBridge does).
    report_runs: bool = False
    #: Assistants of the `responses` backend by id, as in a creation request, with `instructions_file` instead of
    #: `instructions` if wanted. In a file they are tables `[assistants."asst_…"]`.
    declared: dict[str, JsonObject] = Field(default_factory=dict[str, JsonObject])
    #: A directory with more of them, a TOML file each.
    directory: str | None = None
    #: `read_only`: requests cannot change or delete declared assistants; `sync`: they can, until the next start.
    declared_mode: Literal["read_only", "sync"] = "read_only"

    @model_validator(mode="before")
    @classmethod
    def _collect_declared(cls, values: object) -> object:
        """Move the tables that are named by an assistant's id to `declared`."""
        if not is_json_object(values):
            return values
        tables = {key: value for key, value in values.items() if key.startswith("asst_")}
        declared: object = values.get("declared", {})
        if not tables or not is_json_object(declared):
            return values
        others = {key: value for key, value in values.items() if key not in tables}
        return {**others, "declared": {**declared, **tables}}


class GatewaySettings(_Section):
    """The HTTP gateway."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    #: The key of clients (`Authorization: Bearer` or `api-key`); required if `host` is not loopback.
    api_key: Annotated[SecretStr | None, AfterValidator(_treat_empty_key_as_none)] = None
    #: Origins of web pages that may use the gateway, in the form of `https://example.org`; `*`: any.
    allowed_origins: tuple[Origin, ...] = ()
    #: Hosts that clients may use in URLs without a key, besides `localhost`, `127.0.0.1` and `[::1]`; `*`: any. With
    #: a key every host is accepted.
    allowed_hosts: tuple[HostName, ...] = ()
    #: Wrong keys that one client address may present in a minute; more requests of it are rejected with 429. 0: any
    #: number, for a gateway behind a proxy whose address all clients share.
    wrong_keys_per_minute: int = Field(default=120, ge=0)
    #: Connections that are open at the same time; more are closed after a 503.
    max_connections: int = Field(default=4096, gt=0)
    #: Seconds within which the head of a request must arrive.
    header_seconds: float = Field(default=30.0, gt=0)
    #: Seconds within which some part of a body must arrive, while the server can take it.
    body_seconds: float = Field(default=60.0, gt=0)
    #: The most bytes of a request body to the Assistants API.
    max_body_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    #: Seconds without an event after which a stream sends a comment, so that no proxy closes it; 0: never.
    keep_alive_seconds: float = Field(default=15.0, ge=0)


#: Higher amounts are mistakes, and their sums would not fit into a store.
_MAX_DOLLARS = 1_000_000


#: Where the history of a thread is stored for the model.
HistoryMode: TypeAlias = Literal["local", "chained", "conversation"]


class Limits(_Section):
    """The limits; the defaults are those of the legacy service."""

    #: Seconds from a run's creation to its expiry (A60).
    run_expiry_seconds: int = Field(default=600, gt=0)
    #: Characters of a text in a message (A36); None: limited only by the request body.
    message_characters: int | None = Field(default=None, gt=0)
    #: Messages in one `POST /threads`, and in `additional_messages` (A29, A50).
    messages_per_create: int = Field(default=32, gt=0)
    #: Length of a lease in seconds; after a crash, how long the run waits until another process recovers it. The same
    #: in all processes that share a store: a lease that ends later than now plus this length is invalid.
    lease_seconds: float = Field(default=30.0, gt=0)
    #: Turns that one process performs at the same time; further runs stay queued.
    concurrent_turns: int = Field(default=256, gt=0)
    #: Events that a slow reader of a stream may lag behind before the run waits for it.
    stream_buffer_events: int = Field(default=1024, gt=0)
    #: Seconds that a reader with a full buffer may read nothing before the run continues without it.
    stalled_reader_seconds: float = Field(default=30.0, gt=0)
    #: With the policy `queue`: seconds that a request waits for a busy thread before it is rejected.
    busy_wait_seconds: float = Field(default=30.0, ge=0)
    #: With the policy `queue`: requests of one process that wait at the same time; more are rejected immediately.
    busy_waiting_requests: int = Field(default=100, ge=0)
    #: Seconds after the end of a run for which its events can be followed, from any event on.
    replay_seconds: float = Field(default=600.0, ge=0)
    #: Bytes of events stored for that, for one run and for all runs; the oldest are dropped first.
    replay_bytes_per_run: int = Field(default=4 * 1024 * 1024, ge=0)
    replay_bytes: int = Field(default=128 * 1024 * 1024, ge=0)
    #: Seconds for which a repeat of a request with an `Idempotency-Key` gets the first answer again.
    idempotency_seconds: float = Field(default=86_400.0, ge=0)
    #: The same for repeats without a key, by openai SDKs: longer than their timeout of 600 seconds and their pauses.
    retry_seconds: float = Field(default=900.0, ge=0)
    #: US dollars that one run may cost: it fails before the request that would exceed them. None: unlimited.
    run_dollars: float | None = Field(default=None, gt=0, le=_MAX_DOLLARS)
    #: The same for all runs of the tenant within this many days, today (UTC) included.
    tenant_dollars: float | None = Field(default=None, gt=0, le=_MAX_DOLLARS)
    tenant_dollars_days: int = Field(default=30, ge=1, le=3660)
    #: Seconds after which a sampling parameter that a model rejected is sent again.
    refusal_seconds: float = Field(default=604_800.0, gt=0)
    #: Rejections stored for one service; the oldest are dropped first.
    refusals: int = Field(default=1000, gt=0)
    #: The most bytes of one response of the service, unpacked; for streams, files and error responses others hold.
    response_bytes: int = Field(default=DEFAULT_RESPONSE_BYTES, gt=0)
    #: Days for which the service stores responses (§9).
    stored_response_days: int = Field(default=30, gt=0)
    #: Seconds that a turn waits for a conversation that another request has locked, before it sends the full history.
    conversation_lock_seconds: float = Field(default=8.0, ge=0)
    #: Seconds that closing a backend waits for active runs.
    drain_seconds: float = Field(default=5.0, ge=0)
    #: Seconds that `cancel` waits for an active run to end before it returns.
    cancel_wait_seconds: float = Field(default=2.0, ge=0)
    #: Seconds that a request may take to make its attachments available to tools, at the upstream (A38).
    supply_seconds: float = Field(default=600.0, gt=0)
    #: Seconds after which objects at the upstream are removed that were created for a request or run that was not
    #: stored, and the contents of deleted files.
    abandoned_seconds: float = Field(default=3600.0, gt=0)
    #: Seconds that a run waits for the vector store of its thread to be indexed (A56).
    index_wait_seconds: float = Field(default=60.0, ge=0)
    #: Seconds that the end of a turn waits for files of the code interpreter; later ones are dropped.
    copy_out_seconds: float = Field(default=60.0, ge=0)
    #: The most bytes of one such file (A38).
    copied_file_bytes: int = Field(default=512 * 1024 * 1024, gt=0)
    #: Files of one container that are downloaded at the same time.
    concurrent_copies: int = Field(default=20, gt=0)


UnknownCursorPolicy: TypeAlias = Literal["empty_page", "error"]
BusyThreadPolicy: TypeAlias = Literal["reject", "queue"]
SamplingPolicy: TypeAlias = Literal["drop", "error", "force_none"]
MissingToolPolicy: TypeAlias = Literal["leave_out", "refuse"]
UnknownThreadPolicy: TypeAlias = Literal["refuse", "adopt"]
UnknownPricePolicy: TypeAlias = Literal["refuse", "allow"]


class Policies(_Section):
    """Choices that differ between services or programs."""

    #: The response of a list to an unknown cursor (A14).
    unknown_cursor: UnknownCursorPolicy = "empty_page"
    #: A run or message for a thread with an active run: `reject` (A42, A52), or `queue` until the run has ended.
    busy_thread: BusyThreadPolicy = "reject"
    #: `temperature` and `top_p` for a model that rejects them: they are not sent, the request is rejected, or reasoning
    #: is switched off if the model then accepts them (mapping §13).
    sampling: SamplingPolicy = "drop"
    #: A run with a hosted tool that the service does not support: the tool is left out with a warning, or the run is
    #: rejected.
    missing_tool: MissingToolPolicy = "leave_out"
    #: A thread id that the store does not have: `refuse` (the legacy 404), or `adopt`, an empty thread from its first
    #: use on (D120). A thread that a client deleted stays unknown.
    unknown_thread: UnknownThreadPolicy = "refuse"
    #: A file with a thread id a line: only these are adopted. None: all that look like ids of a service.
    adoptable_threads: str | None = None
    #: A run of a model without a known price while `limits` has a spend limit.
    unknown_price: UnknownPricePolicy = "refuse"


class TruncationSettings(_Section):
    """How much of a long thread is sent to the model if the run has the strategy `auto` (A79)."""

    #: `drop`: turns in the middle are left out; `compact`: the service compacts them.
    auto: Literal["drop", "compact"] = "drop"
    #: Tokens of one prompt for every model; None: the window of the assistant's model without the answer.
    context_tokens: int | None = Field(default=None, gt=0)
    #: Tokens of a window that are reserved for the answer, but at most a quarter of it.
    answer_tokens: int = Field(default=4096, ge=0)
    #: `exact`: before each turn with a token budget the service counts the tokens of the prompt.
    counting: Literal["offline", "exact"] = "offline"
    #: The most requests for that in one turn, and the seconds for one; then the offline count is used.
    exact_requests: int = Field(default=3, ge=1, le=10)
    exact_seconds: float = Field(default=10.0, gt=0)
    #: How often a turn is repeated, with a third less of the thread each time, if the service rejects the prompt as
    #: longer than the model's window.
    overflow_retries: int = Field(default=5, ge=0, le=20)
    #: The context window of an unknown model.
    unknown_model_window: int = Field(default=128_000, gt=0)


class DoctorSettings(_Section):
    """Limits of `threadbridge doctor`."""

    #: Seconds for one request.
    timeout: float = Field(default=30.0, gt=0)
    #: How many of the newest assistants, threads and runs in the store are checked.
    objects: int = Field(default=1000, gt=0)


class ModelOverride(_Section):
    """Which model to request instead of a name. Overrides the built-in map."""

    #: None: as without this override.
    model: str | None = None
    #: Tokens of one prompt, instead of the model's window without the answer.
    context_tokens: int | None = Field(default=None, gt=0)
    reasoning_effort: str | None = None
    #: Whether `temperature` and `top_p` are sent; None: as in the table of models.
    sampling: bool | None = None


class ModelPrice(_Section):
    """The price of a model in US dollars per million tokens. Takes precedence over the list of genai-prices."""

    input: float = Field(ge=0, le=_MAX_DOLLARS)
    output: float = Field(ge=0, le=_MAX_DOLLARS)
    #: For the cached part of a prompt; None: as `input`.
    cached_input: float | None = Field(default=None, ge=0, le=_MAX_DOLLARS)


class Fees(_Section):
    """Fees of the service for hosted tools in US dollars, in addition to tokens; None: unknown."""

    file_search_call: float | None = Field(default=None, ge=0, le=_MAX_DOLLARS)


class Settings(_Section):
    """All settings of ThreadBridge."""

    #: `responses`, `assistants`, or a name under the entry point group `threadbridge.backends`.
    backend: str = "responses"
    #: URL of the store, or `:memory:`; None: a SQLite file in the user's data directory, or memory with `simulate`.
    store: str | None = Field(default=None, repr=False)
    #: Where the contents of generated files are stored: a directory, or an fsspec URL; None: a directory next to the
    #: store.
    files: str | None = Field(default=None, repr=False)
    tenant: str = Field(default=DEFAULT_TENANT, min_length=1, max_length=64)
    #: Answer from the built-in simulator instead of a real Responses service.
    simulate: bool = False
    #: False: this process reads and writes threads but performs no runs, and needs no upstream, like an export.
    performs_runs: bool = True
    #: The executor of runs: the name of an entry point of the group `threadbridge.executors`.
    executor: str = "inline"
    #: Whether the Responses service has file_search and code_interpreter, files and vector stores.
    hosted_tools: bool = True
    upstream: UpstreamSettings = UpstreamSettings()
    assistants: AssistantsSettings = AssistantsSettings()
    gateway: GatewaySettings = GatewaySettings()
    limits: Limits = Limits()
    policies: Policies = Policies()
    truncation: TruncationSettings = TruncationSettings()
    #: `local`: every request has the whole history; `chained`: a response continues the previous one, which the service
    #: stores; `conversation`: the service stores a conversation for each thread.
    history: HistoryMode = "local"
    models: dict[str, ModelOverride] = Field(default_factory=dict)
    #: The file in which `threadbridge models refresh` stores the service's models; None: next to the user's store.
    model_catalog: str | None = None
    #: The same for single assistants, by id; takes precedence over `models`.
    per_assistant: dict[str, ModelOverride] = Field(default_factory=dict)
    #: By the name of the requested model, or of the one in the response.
    prices: dict[str, ModelPrice] = Field(default_factory=dict)
    fees: Fees = Fees()
    doctor: DoctorSettings = DoctorSettings()
    #: Settings of backends from other packages, which may be secret.
    options: dict[str, Any] = Field(default_factory=dict, repr=False)
