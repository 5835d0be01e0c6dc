"""Errors with the service's own texts, one constructor per text.

Texts are those of recorded answers where there is one; the others follow the same patterns (A17, A18) and are quoted in
public bug reports of the service.
"""

from __future__ import annotations

from collections.abc import Sequence

from threadbridge.api_types import JsonObject


class ServiceError(Exception):
    """A response with an error status. `body` is the service's error envelope, `headers` the headers sent with it.

    `detailed` repeats the message in `detail`, as the service's file endpoints do.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        detailed: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.param = param
        self.code = code
        self.retry_after = retry_after
        self._detailed = detailed
        self.request_id: str | None = None

    @property
    def body(self) -> JsonObject:
        """The error envelope."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        if self._detailed:
            return {"error": error, "detail": {"message": self.message, "code": self.code}}
        return {"error": error}

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the error, with lower-case names."""
        if self.retry_after is None:
            return {}
        return {"retry-after": f"{self.retry_after:g}", "retry-after-ms": str(int(self.retry_after * 1000))}


#: The default error for a status if a script has no message: (type, code, message).
DEFAULTS_BY_STATUS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "The simulator was scripted to reject this request."),
    401: (
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
    ),
    403: ("invalid_request_error", None, "You have insufficient permissions for this operation."),
    404: ("invalid_request_error", None, "Not found."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests per min (RPM)."),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    503: ("server_error", None, "The engine is currently overloaded, please try again later."),
}


def error_for_status(status: int, message: str | None = None, *, retry_after: float | None = None) -> ServiceError:
    """The service's usual error with that status."""
    kind, code, text = DEFAULTS_BY_STATUS.get(
        status, ("server_error", None, f"The simulator was scripted to respond with {status}.")
    )
    return ServiceError(message or text, status=status, type=kind, code=code, retry_after=retry_after)


_TYPE_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    dict: "an object",
    list: "an array",
}


def join_quoted(words: Sequence[str]) -> str:
    """'a', 'b', and 'c' as the service lists values (recorded: reasoning.effort of o4-mini)."""
    quoted = [f"'{word}'" for word in words]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return ", ".join(quoted[:-1]) + f", and {quoted[-1]}"


def missing_parameter(param: str) -> ServiceError:
    return ServiceError(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def unknown_parameter(param: str) -> ServiceError:
    return ServiceError(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def unsupported_parameter(param: str, *, code: str | None = None) -> ServiceError:
    """§13: for sampling parameters on reasoning models the code is null."""
    text = f"Unsupported parameter: '{param}' is not supported with this model."
    return ServiceError(text, param=param, code=code)


def unsupported_value(param: str, value: str, model: str, supported: Sequence[str]) -> ServiceError:
    """§13: a value that this model does not accept (recorded for an effort)."""
    text = (
        f"Unsupported value: '{value}' is not supported with the '{model}' model. "
        f"Supported values are: {join_quoted(supported)}."
    )
    return ServiceError(text, param=param, code="unsupported_value")


def parameter_not_simulated(param: str) -> ServiceError:
    """The error for a parameter of the service that the simulator does not support: rejected rather than ignored."""
    text = f"Unsupported parameter: '{param}' is not supported by the simulator."
    return ServiceError(text, param=param, code="unsupported_parameter")


def invalid_type(param: str, expected: str, value: object) -> ServiceError:
    text = f"Invalid type for '{param}': expected {expected}, but got {_TYPE_NAMES.get(type(value), 'null')} instead."
    return ServiceError(text, param=param, code="invalid_type")


def invalid_value(param: str, value: object, supported: Sequence[str]) -> ServiceError:
    text = f"Invalid value: '{value}'. Supported values are: {join_quoted(supported)}."
    return ServiceError(text, param=param, code="invalid_value")


def invalid_id(param: str, value: str, prefix: str) -> ServiceError:
    text = f"Invalid '{param}': '{value}'. Expected an ID that begins with '{prefix}'."
    return ServiceError(text, param=param, code="invalid_value")


def out_of_range(param: str, kind: str, value: float, bound: float, *, below: bool) -> ServiceError:
    """Recorded for temperature -1: `decimal_below_min_value`."""
    side, sign, edge = ("below minimum", ">=", "min") if below else ("above maximum", "<=", "max")
    text = f"Invalid '{param}': {kind} {side} value. Expected a value {sign} {bound:g}, but got {value:g} instead."
    return ServiceError(text, param=param, code=f"{kind}_{'below' if below else 'above'}_{edge}_value")


def too_long(param: str, kind: str, length: int, maximum: int) -> ServiceError:
    """`kind` is `string` or `array`."""
    article = "an" if kind == "array" else "a"
    text = (
        f"Invalid '{param}': {kind} too long. Expected {article} {kind} with maximum length {maximum}, "
        f"but got {article} {kind} with length {length} instead."
    )
    return ServiceError(text, param=param, code=f"{kind}_above_max_length")


def empty_array(param: str) -> ServiceError:
    text = f"Invalid '{param}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    return ServiceError(text, param=param, code="empty_array")


def too_many_properties(param: str, count: int, maximum: int) -> ServiceError:
    text = (
        f"Invalid '{param}': too many properties. Expected an object with at most {maximum} properties, "
        f"but got an object with {count} properties instead."
    )
    return ServiceError(text, param=param, code="object_above_max_properties")


def property_name_too_long(param: str, name: str, maximum: int) -> ServiceError:
    text = (
        f"Invalid property name in '{param}': '{name}' is too long. Expected a property name with maximum length "
        f"{maximum}, but got a property name with length {len(name)} instead."
    )
    return ServiceError(text, param=param, code="property_name_above_max_length")


def missing_source(param: str, names: Sequence[str]) -> ServiceError:
    """For an image or a file with none of these members."""
    text = f"Missing mutually exclusive parameters: '{param}'. Ensure you are providing exactly one of: "
    return ServiceError(text + _join_alternatives(names), param=param, code="missing_mutually_exclusive_parameters")


def more_than_one_source(param: str, names: Sequence[str]) -> ServiceError:
    """For an image or a file with several of these members."""
    text = f"Mutually exclusive parameters: '{param}'. Ensure you are only providing one of: "
    return ServiceError(text + _join_alternatives(names), param=param, code="mutually_exclusive_parameters")


def invalid_url(param: str) -> ServiceError:
    """Quoted in the report of case 05, and by users of the Assistants API."""
    text = f"Invalid '{param}'. Expected a valid URL, but got a value with an invalid format."
    return ServiceError(text, param=param, code="invalid_value")


def invalid_image_data(param: str, found: str) -> ServiceError:
    text = (
        f"Invalid '{param}'. Expected a base64-encoded data URL with an image MIME type "
        f"(e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got {found}"
    )
    return ServiceError(text, param=param, code="invalid_value")


def download_failed(url: str, status: int | None, *, is_image: bool) -> ServiceError:
    """For a URL that the service cannot download; without a status it could not be connected to."""
    tail = "" if status is None else f" Upstream status code: {status}."
    if is_image:
        return ServiceError(f"Error while downloading {url}.{tail}", param="url", code="invalid_image_url")
    return ServiceError(f"Error while downloading file.{tail}", param="url", code="invalid_value")


def _join_alternatives(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}."


def model_not_found(model: str) -> ServiceError:
    """Recorded: the status is 400, not 404, on `/v1/responses`."""
    text = f"The requested model '{model}' does not exist."
    return ServiceError(text, param="model", code="model_not_found")


def context_length_exceeded() -> ServiceError:
    """Recorded."""
    text = "Your input exceeds the context window of this model. Please adjust your input and try again."
    return ServiceError(text, param="input", code="context_length_exceeded")


def response_not_found(response_id: str) -> ServiceError:
    return ServiceError(f"Response with id '{response_id}' not found.", status=404)


def previous_response_not_found(response_id: str) -> ServiceError:
    """§9: unknown is a 400 here."""
    text = f"Previous response with id '{response_id}' not found."
    return ServiceError(text, param="previous_response_id", code="previous_response_not_found")


def conversation_not_found(conversation_id: str) -> ServiceError:
    return ServiceError(f"Conversation with id '{conversation_id}' not found.", status=404)


def item_not_found(item_id: str, *, stored: bool = True) -> ServiceError:
    """§9: with `store: false` the service explains that items are not stored."""
    text = f"Item with id '{item_id}' not found."
    if not stored:
        text += (
            " Items are not persisted when `store` is set to false."
            " Try again with `store` set to true, or remove this item from your input."
        )
    return ServiceError(text, status=404, param="input")


def files_api_error(message: str, *, status: int = 400, param: str | None = None) -> ServiceError:
    """Recorded: the service's file endpoints repeat the message in `detail`."""
    return ServiceError(message, status=status, param=param, detailed=True)


def file_not_found(file_id: str) -> ServiceError:
    """Recorded (A102)."""
    return files_api_error(f"No such File object: {file_id}", status=404, param="id")


def missing_property(name: str) -> ServiceError:
    return files_api_error(f"'{name}' is a required property", param=name)


def invalid_multipart() -> ServiceError:
    return files_api_error("Could not parse multipart form")


def file_too_large(limit: int) -> ServiceError:
    return files_api_error(f"File is too large. The maximum size is {limit} bytes.", status=413, param="file")


def vector_store_not_found(vector_store_id: str) -> ServiceError:
    return ServiceError(f"No vector store found with id '{vector_store_id}'.", status=404)


def tools_vector_store_not_found(vector_store_id: str) -> ServiceError:
    return ServiceError(f"Vector store with id ['{vector_store_id}'] not found.", status=404, param="tools")


def vector_store_expired(vector_store_id: str) -> ServiceError:
    return ServiceError(f"Vector store '{vector_store_id}' is expired.", code="vector_store_expired")


def unsupported_for_retrieval(extensions: Sequence[str]) -> ServiceError:
    text = f"Files with extensions [{', '.join(extensions)}] are not supported for retrieval. See "
    return ServiceError(
        f"{text}https://platform.openai.com/docs/assistants/tools/file-search/supported-files",
        param="file_ids",
        code="unsupported_file",
    )


def container_not_found(container_id: str) -> ServiceError:
    return ServiceError(f"Container with id '{container_id}' not found.", status=404)


def container_expired() -> ServiceError:
    return ServiceError("Container is expired.")
