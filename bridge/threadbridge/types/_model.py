"""The base of all models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class WireModel(BaseModel):
    """An object of the Assistants API.

    `model_dump(mode="json", exclude_unset=True)` returns what was received: fields that were not sent are absent (as
    attributes they are None), and unknown fields are kept, also as attributes.
    """

    # Built at first use, because the hundred schemas would add a third of a second to `import threadbridge`.
    model_config = ConfigDict(extra="allow", defer_build=True)

    def to_dict(
        self,
        *,
        mode: Literal["json", "python"] = "python",
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        warnings: bool = True,
    ) -> dict[str, Any]:
        """The object as it was received; a method of the openai SDK's models."""
        return self.model_dump(
            mode=mode,
            by_alias=use_api_names,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            warnings=warnings,
        )

    def to_json(
        self,
        *,
        indent: int | None = 2,
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        warnings: bool = True,
    ) -> str:
        """The object as it was received, as JSON; a method of the openai SDK's models."""
        return self.model_dump_json(
            indent=indent,
            by_alias=use_api_names,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            warnings=warnings,
        )


class Unknown(WireModel):
    """A member of a union (a tool, a content part, a call) of a type that this version does not know, as received."""

    type: str | None = None

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class OrUnknown:
    """Marks a union of types: a value of no known type is kept in an `Unknown`, and never rejected.

    Only at run time: type checkers see the known types, so that `if block.type == "text"` narrows them.
    """

    def __init__(self, fallback: type[BaseModel] = Unknown) -> None:
        self._fallback = fallback

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.union_schema(
            [handler(source), handler.generate_schema(self._fallback)], mode="left_to_right"
        )
