"""Which field of a message a column or key of another program holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from threadbridge_migrate.errors import UsageError

#: Fields of a message, and the names they have elsewhere, without case and punctuation; the first name that a table
#: has counts. A name that is not here can be given with `--map`.
_NAMES: Final[Mapping[str, Sequence[str]]] = {
    field: words.split()
    for field, words in {
        "thread_id": "openaithreadid threadid openaiid conversationid chatid sessionid dialogid discussionid ticketid "
        "channelid thread conversation session chat",
        "id": "openaimessageid messageid msgid id uuid",
        "role": "role author sender speaker agent sentby sendertype authorrole fromrole from roleid type",
        "content": "content textcontent messagecontent messagetext contenttext text message body value msg parts "
        "utterance",
        "created_at": "createdat timestamp createdtime createdon created sentat datetime time date at insertedat start",
        "question": "question userinput usermessage userprompt prompt query input user human request",
        "answer": "answer assistantmessage botresponse airesponse response reply output completion assistant bot",
        "assistant_id": "openaiassistantid assistantid",
        "run_id": "openairunid runid",
        "metadata": "metadata",
        "title": "title threadname conversationname name subject topic",
    }.items()
}

FIELDS: Final = tuple(_NAMES)

_PUNCTUATION: Final = re.compile(r"[^a-z0-9]")


def parse_mapping(words: Sequence[str]) -> dict[str, str]:
    """The columns by field, from `field=column` words with commas between them. Raises UsageError."""
    mapping: dict[str, str] = {}
    for word in (part for each in words for part in each.split(",")):
        field, equals, column = (part.strip() for part in word.partition("="))
        if not equals or not column or field not in FIELDS:
            raise UsageError(f"--map takes FIELD=COLUMN with the fields {', '.join(FIELDS)}, not {word!r}.")
        mapping[field] = column
    return mapping


def find_columns(names: Iterable[str], mapping: Mapping[str, str]) -> Mapping[str, str]:
    """The columns by field: what the mapping names, then what the names say. A column has one field."""
    return _find_columns(tuple(names), tuple(mapping.items()))


@lru_cache(maxsize=1024)
def _find_columns(present: tuple[str, ...], named: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    mapping = dict(named)
    columns = {field: column for field, column in mapping.items() if column in present}
    by_word = {_PUNCTUATION.sub("", name.lower()): name for name in reversed(present)}
    for field, words in _NAMES.items():
        if field not in columns:
            found = (by_word[word] for word in words if word in by_word and by_word[word] not in columns.values())
            if (column := next(found, None)) is not None:
                columns[field] = column
    return columns


def describes_message(columns: Mapping[str, str]) -> bool:
    """Whether each row is a message: it has a content and a role."""
    return "content" in columns and "role" in columns


def describes_exchange(columns: Mapping[str, str]) -> bool:
    """Whether each row is a question and its answer."""
    return "question" in columns and "answer" in columns
