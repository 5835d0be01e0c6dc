"""What all objects of the wire have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class WireModel(BaseModel):
    """An object as the Assistants API shows it.

    `model_dump(mode="json", exclude_unset=True)` gives back what came over the wire: fields that were not sent are
    not invented (they read as None), fields that nobody here has heard of are kept, and both read as attributes.
    """

    # Built at first use: a hundred schemas are a third of a second that `import threadbridge` need not take.
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
        """The object as it came over the wire; a method of the openai SDK's models."""
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
        """The object as it came over the wire, as JSON; a method of the openai SDK's models."""
        return self.model_dump_json(
            indent=indent,
            by_alias=use_api_names,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            warnings=warnings,
        )


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
