"""How the tour tells what it saw: one line of JSON for each operation, the wire's own objects in it."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import openai
from openai import BaseModel


def begin_chapter(chapter: str) -> None:
    """What is shown from now on belongs to this chapter."""
    print(json.dumps({"chapter": chapter}), flush=True)


def show(operation: str, result: object) -> None:
    """Print what an operation gave."""
    print(json.dumps({"operation": operation, "result": to_json(result)}, sort_keys=True), flush=True)


def to_json(value: object) -> object:
    """The same as JSON: objects as they came over the wire."""
    match value:
        case BaseModel():
            return value.to_dict(mode="json")
        case openai.APIStatusError():
            return {"class": type(value).__name__, "status": value.status_code, "error": value.body}
        case list() | tuple():
            return [to_json(one) for one in cast("Sequence[object]", value)]
        case dict():
            return {name: to_json(one) for name, one in cast("Mapping[str, object]", value).items()}
        case _:
            return value


@contextmanager
def expect_rejection(operation: str) -> Generator[None]:
    """Show the error of the request made within; there must be one."""
    try:
        yield
    except openai.APIStatusError as error:
        show(operation, error)
    else:
        raise AssertionError(f"{operation} was not refused")
