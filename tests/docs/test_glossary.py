"""The names of packages and modules are made of terms of the glossary, terms of the two APIs and a few plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import openai

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "explanation" / "glossary.md"

#: Words that any programmer reads without a glossary. The word for a concept of ours is defined there instead.
PLAIN_WORDS = frozenset(
    """
    access advance answer application async at attribute auth background backoff body bridge byte caller catalog
    check cli clock codec compat compiled concurrency copier cor counter day default demo dialect direct dispatch
    doctor encrypted endpoint env errand exact expiry export factory field fsspec full gather hand handler header
    host http httpx id indexing inlining json launch limited listing loader lost main matching merge migrate
    multipart null once openai operation outcome overflow pagination paging pairing parser passthrough png polling
    price pricing produced program provisioner proxy query range raw reader record registry reply result routing
    runtime sample sdk serve setting simulate snapshot spending sql sqlite sse startup statement storage streaming
    sync table task termination threadbridge to upgrade upsert validation validator verification whole
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
    """The words of the two APIs, as the module names of the SDK's types have them."""
    types = Path(openai.__file__).parent / "types"
    return {word for path in types.rglob("*.py") for word in _words(path.stem)}


def list_words() -> dict[str, str]:
    """Every word of a package's or module's name, and one path where it stands."""
    words: dict[str, str] = {}
    for folder in ("bridge", "adapters", "migrate"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "versions" in path.parts:
                continue  # revisions of the store have numbers
            relative = path.relative_to(ROOT)
            for word in _words(" ".join(relative.with_suffix("").parts[1:])):
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
