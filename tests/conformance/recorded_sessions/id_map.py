"""Maps recorded ids to ids of the product, learned from corresponding responses."""

from __future__ import annotations

from typing import Any

from tests.conformance.recorded_sessions.sessions import ID
from threadbridge.api_types import is_json_list, is_json_object


class IdMap:
    """A one-to-one map between the ids of a recording and the ids of its replay."""

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}
        self._recorded: dict[str, str] = {}

    def knows(self, recorded: str) -> bool:
        """Whether the object exists in the replay."""
        return recorded in self._ours

    def get_ours(self, recorded: str) -> str:
        """The product's id of a recorded object; an unknown id is returned unchanged."""
        return self._ours.get(recorded, recorded)

    def pair(self, recorded: str, ours: str) -> None:
        """Record that both ids name one object, unless one of them is paired already."""
        if recorded not in self._ours and ours not in self._recorded:
            self._ours[recorded] = ours
            self._recorded[ours] = recorded

    def learn(self, recorded: Any, ours: Any) -> None:
        """Pair the ids at the same paths of two bodies."""
        if is_json_object(recorded) and is_json_object(ours):
            for name in recorded.keys() & ours.keys():
                self.learn(recorded[name], ours[name])
        elif is_json_list(recorded) and is_json_list(ours):
            for one, other in zip(recorded, ours, strict=False):
                self.learn(one, other)
        elif isinstance(recorded, str) and isinstance(ours, str) and _are_ids_of_one_kind(recorded, ours):
            self.pair(recorded, ours)

    def to_ours(self, text: str) -> str:
        """A recorded text with the product's ids."""
        return ID.sub(lambda found: self._ours.get(found[0], found[0]), text)

    def to_recorded(self, value: Any) -> Any:
        """A body of the product with the recorded ids."""
        if is_json_object(value):
            return {name: self.to_recorded(inner) for name, inner in value.items()}
        if is_json_list(value):
            return [self.to_recorded(inner) for inner in value]
        if isinstance(value, str):
            return ID.sub(lambda found: self._recorded.get(found[0], found[0]), value)
        return value


def _are_ids_of_one_kind(recorded: str, ours: str) -> bool:
    return all(ID.fullmatch(text) is not None for text in (recorded, ours)) and _id_kind(recorded) == _id_kind(ours)


def _id_kind(object_id: str) -> str:
    return object_id.replace("-", "_").partition("_")[0]
