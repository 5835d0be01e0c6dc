"""What all objects of the wire have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field


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


#: For unions that end in `Unknown`: the first member that fits. What fits none is kept unread, never refused.
FirstThatFits: Any = Field(union_mode="left_to_right")
