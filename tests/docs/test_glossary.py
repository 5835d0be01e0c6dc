"""The names of packages and modules are made of terms of the glossary, terms of the two APIs and a few plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import is_typeddict

from threadbridge import api_types

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "explanation" / "glossary.md"

#: Words that any programmer reads without a glossary. The word for a concept of ours is defined there instead.
PLAIN_WORDS = frozenset(
    """
    access advance application async bridge buffer byte caller cassette catalog check cli client clock comparison
    compat concurrency connect connection conversion convert converter copier cost counter csv decoder default demo
    detection direct dispatch doctor dump endpoint env environment exact export exporter factory field finding fork
    foundry fsspec full gather handler har html http httpx indexing inlining job json ledger limited listing load
    loader local main markdown mask media memory migrate mirror multipart normalisation null openai pagination paging
    parquet parser passthrough polling price pricing produced program progress protocol provisioner rate reader
    readiness record registry reply rewrite runtime sarif scanner sdk seal secret serve setting shard shared simulate
    snapshot sniffer spending sql sqlite sse startup statement storage streaming sync table task threadbridge
    translation upgrade validation validator verification verify zstd change estimate retry upload
    agent collection column configuration document import importer page reading recording repr shape
    binding caveat chain language member
    """.split()
)


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _words(name: str) -> Iterator[str]:
    yield from (_singular(word) for word in re.findall(r"[a-z]+|\d+", name.lower()))


def glossary_words() -> set[str]:
    """The words of the terms that the glossary defines, in bold or in italics."""
    terms = re.findall(r"\*+([^*|]+)\*+", GLOSSARY.read_text())
    return {word for term in terms for word in _words(term)}


def api_words() -> set[str]:
    """The words of the two APIs: those of the types and keys in `threadbridge.api_types`."""
    types = {name: getattr(api_types, name) for name in api_types.__all__ if name[0].isupper()}
    of_types = {word for name in types for part in re.findall("[A-Z][a-z]+", name) for word in _words(part)}
    keys = {key for each in types.values() if is_typeddict(each) for key in each.__annotations__}
    return of_types | {word for key in keys for word in _words(key)}


def list_words() -> dict[str, str]:
    """Every word of the names of packages and modules, with one path that contains it."""
    words: dict[str, str] = {}
    for folder in ("bridge", "adapters", "migrate"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "versions" in path.parts:
                continue  # revisions of the store have numbers
            relative = path.relative_to(ROOT)
            parts = [part for part in relative.with_suffix("").parts[1:] if part != "__init__"]
            for word in _words(" ".join(parts)):
                words.setdefault(word, str(relative))
    return words


def test_names_are_made_of_terms_and_plain_words() -> None:
    allowed = glossary_words() | api_words() | PLAIN_WORDS

    assert {word: path for word, path in list_words().items() if word not in allowed} == {}


#: Metaphors and participles that are not used as names.
FORBIDDEN = frozenset(
    """
    anew asked begun border desk done errand express feed found given gone habit held kept lane made manner passage
    place shelf shown signpost sort suiting supply taken told trap waiting way weight
    """.split()
)


def test_no_name_contains_a_forbidden_word() -> None:
    assert {word: path for word, path in list_words().items() if word in FORBIDDEN} == {}


def test_every_term_has_a_meaning_and_a_place() -> None:
    rows = [line for line in GLOSSARY.read_text().splitlines() if line.startswith("| **")]

    assert len(rows) >= 40
    assert [row for row in rows if row.count(" | ") != 2 or not row.split(" | ")[1].endswith(".")] == []
