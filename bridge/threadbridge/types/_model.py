"""What all objects of the wire have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class WireModel(BaseModel):
    """An object as the Assistants API shows it.

    `model_dump(mode="json", exclude_unset=True)` gives back what came over the wire: fields that were not sent are
    not invented (they read as None), fields that nobody here has heard of are kept, and both read as attributes.
    """

    # Built at first use: a hundred schemas are a third of a second that `import threadbridge` need not take.
    model_config = ConfigDict(extra="allow", defer_build=True)


class Unknown(WireModel):
    """A member of a family (a tool, a content block, a call) of a type newer than this version, as it was sent."""

    type: str | None = None

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class OrUnknown:
    """Marks a family of types: what fits none of them is kept as sent, in an `Unknown`, and never refused.

    Only at run time: checkers see the known types, so that `if block.type == "text"` narrows as it should.
    """

    def __init__(self, fallback: type[BaseModel] = Unknown) -> None:
        self._fallback = fallback

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.union_schema(
            [handler(source), handler.generate_schema(self._fallback)], mode="left_to_right"
        )
