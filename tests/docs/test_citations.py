"""Every rule, section, gap and numbered difference that the tree cites is published in the documentation.

The grammar of a citation, in `.py` and `.md` files:

    A42, A98a       a rule of docs/reference/assistants-behaviour.md
    C5              a demand of docs/reference/client-demands.md
    S3              a difference of docs/reference/responses-servers.md (the object store is written "Amazon S3")
    §13, §16 G2     a section of docs/reference/responses-mapping.md, a gap of its section 16
    D9              a row of docs/compatibility.md
    A84-A86, S1–S13 a range; its ends are checked
    test_a52_…      the same numbers in names of tests

Codes after `noqa:` are no citations, nor is a letter and number inside a longer word, path or percent-encoded address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"

_NUMBER = r"[ACDGS]\d{1,3}[a-d]?"
_LINTER_CODES = re.compile(r"noqa: *[A-Z]+\d+(?:[, ]+[A-Z]+\d+)*")
_CITATION = re.compile(rf"(?<![\w./#%&-])(?<!Amazon )({_NUMBER})(?:[-–]({_NUMBER}))?(?![\w/])")
_SECTION = re.compile(r"(?:(?P<document>design|[\w-]+\.md) )?§ ?(?P<number>\d+(?:\.\d+)*)")
_TEST_NAME = re.compile(r"def (test_\w+)")
_NUMBER_IN_NAME = re.compile(r"_([acds]\d{1,3}[a-d]?)(?=_|$)")

_ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
_DIFFERENCE = re.compile(r"^\| (?:<a id=\"d\d+\"></a>)?(D\d+) \|", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:)(?P<page>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")


class Citation(NamedTuple):
    """A citation: its text, file and line."""

    text: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text} is not in the documentation"


def list_published() -> frozenset[str]:
    """The published numbers, such as `A42` and `§13`: anchors of the reference and rows of the differences."""
    anchors = [anchor for page in REFERENCE.glob("*.md") for anchor in _ANCHOR.findall(page.read_text())]
    rules = {anchor[0].upper() + anchor[1:] for anchor in anchors if re.fullmatch(_NUMBER.lower(), anchor.lower())}
    sections = {f"§{anchor.removeprefix('m-')}" for anchor in anchors if re.fullmatch(r"m-\d+", anchor)}
    [compatibility] = DOCS.rglob("compatibility.md")
    return frozenset(rules | sections | set(_DIFFERENCE.findall(compatibility.read_text())))


def find_citations(text: str, file: str = "text") -> Iterator[Citation]:
    """The citations in a text, line by line."""
    for number, line in enumerate(text.splitlines(), start=1):
        yield from (Citation(cited, file, number) for cited in _find_in_line(_LINTER_CODES.sub("", line)))


def _find_in_line(line: str) -> Iterator[str]:
    for match in _CITATION.finditer(line):
        yield from (number for number in match.groups() if number)
    for match in _SECTION.finditer(line):
        document = match["document"]
        named = document is None or document == "responses-mapping.md"
        yield f"§{match['number']}" if named else match[0]
    for name in _TEST_NAME.findall(line):
        yield from (number[0].upper() + number[1:] for number in _NUMBER_IN_NAME.findall(name))


def find_unresolved(text: str, file: str = "text") -> list[Citation]:
    """The citations in a text that are not published."""
    known = list_published()
    return [citation for citation in find_citations(text, file) if citation.text not in known]


def list_files() -> list[Path]:
    """The Python files and pages of the repository."""
    folders = [path for path in ROOT.iterdir() if path.is_dir() and (path.name == ".ci" or path.name[0] != ".")]
    files = [*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*"))]
    return sorted(path for path in files if path.suffix in {".py", ".md"} and path.is_file())


def test_every_citation_in_the_tree_resolves() -> None:
    known = list_published()

    cited = [each for path in list_files() for each in find_citations(path.read_text(), str(path.relative_to(ROOT)))]

    assert len(cited) > 500
    assert [str(each) for each in cited if each.text not in known] == []


@pytest.mark.parametrize(
    "made_up",
    [
        f"the lock (A{999})",
        f"A42-A{999}",
        f"clients (A5, C{99})",
        f"S{1}–S{99}",
        f"(D{999})",
        f"§{16} G{99}",
        f"mapping §{99}",
        f"design §{3}",
        f"def test_a{999}_is_made_up() -> None:",
    ],
)
def test_an_unresolved_citation_is_reported(made_up: str) -> None:
    [found] = find_unresolved(f"A first line.\n{made_up}", "made_up.py")

    assert str(found).startswith("made_up.py:2: ")


@pytest.mark.parametrize(
    "text",
    [
        f"subprocess.run(command)  # noqa: S{603}, D{999}  our own command",
        f"get('/files/%C{3}%A{999}')",
        f"Amazon S{999}",
        f"id-A{999}, xA{999}, A{999}x, /A{999}, #A{999}, A{1000}",
    ],
)
def test_text_that_resembles_a_citation_is_ignored(text: str) -> None:
    assert list(find_citations(text)) == []


def test_every_form_of_a_citation_is_recognized() -> None:
    line = "def test_a52_and_c5(): # (A98a, S3), A84-A86, mapping §13 and responses-mapping.md §16 G2; D9"

    assert sorted(each.text for each in find_citations(line)) == [
        "A52", "A84", "A86", "A98a", "C5", "D9", "G2", "S3", "§13", "§16",
    ]  # fmt: skip


def test_the_reference_has_every_anchor_exactly_once() -> None:
    anchors = [anchor for page in REFERENCE.glob("*.md") for anchor in _ANCHOR.findall(page.read_text())]
    numbers = [("a", 104), ("c", 20), ("s", 13), ("m-", 17), ("g", 14)]

    wanted = {f"{letter}{number}" for letter, last in numbers for number in range(1, last + 1)}

    assert wanted <= set(anchors)
    assert len(anchors) == len(set(anchors))


def list_anchors(page: str) -> set[str]:
    """The anchors of a page: explicit ones, and those that GitHub derives from headings."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return slugs | set(_ANCHOR.findall(page))


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")]), ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_link_to_a_page_or_an_anchor_resolves(page: Path) -> None:
    broken: list[str] = []
    for link in _LINK.finditer(page.read_text()):
        target = (page.parent / link["page"]).resolve() if link["page"] else page
        if not target.exists() or (link["anchor"] and link["anchor"] not in list_anchors(target.read_text())):
            broken.append(link[0])

    assert broken == []
