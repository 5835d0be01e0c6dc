"""The languages whose syntax is parsed: extensions, and the kinds of nodes that an audit looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """One language, by its name in ast-grep."""

    name: str
    #: Nodes `OBJECT . NAME`, whose first two named children are the object and the name.
    members: frozenset[str]
    #: Nodes whose first named child is what they call, await or enclose.
    wrappers: frozenset[str]
    #: Leaves that are names.
    names: frozenset[str]
    #: String literals, interpolated ones included.
    strings: frozenset[str]
    comments: frozenset[str]


def _language(name: str, members: str, wrappers: str, names: str, strings: str, comments: str = "comment") -> Language:
    return Language(name, *(frozenset(words.split()) for words in (members, wrappers, names, strings, comments)))


_SCRIPT = (
    "member_expression subscript_expression",
    "call_expression await_expression parenthesized_expression non_null_expression new_expression as_expression",
    "identifier property_identifier shorthand_property_identifier_pattern string_fragment",
    "string template_string",
)

_LANGUAGES = (
    _language(
        "python",
        "attribute subscript",
        "call await parenthesized_expression",
        "identifier string_content",
        "string concatenated_string",
    ),
    _language("javascript", *_SCRIPT),
    _language("typescript", *_SCRIPT),
    _language("tsx", *_SCRIPT),
    _language(
        "go",
        "selector_expression",
        "call_expression parenthesized_expression",
        "identifier field_identifier",
        "interpreted_string_literal raw_string_literal",
    ),
    _language(
        "ruby",
        "call",
        "parenthesized_statements",
        "identifier constant",
        "string",
    ),
    _language(
        "php",
        "member_call_expression nullsafe_member_call_expression member_access_expression scoped_call_expression "
        "nullsafe_member_access_expression",
        "object_creation_expression parenthesized_expression function_call_expression",
        "name",
        "encapsed_string string",
    ),
    _language(
        "java",
        "method_invocation field_access",
        "object_creation_expression parenthesized_expression cast_expression",
        "identifier type_identifier",
        "string_literal",
        "line_comment block_comment",
    ),
    _language(
        "kotlin",
        "navigation_expression",
        "call_expression postfix_expression parenthesized_expression",
        "simple_identifier",
        "string_literal",
        "line_comment multiline_comment",
    ),
    _language(
        "csharp",
        "member_access_expression conditional_access_expression",
        "invocation_expression await_expression parenthesized_expression postfix_unary_expression cast_expression",
        "identifier",
        "string_literal interpolated_string_expression verbatim_string_literal raw_string_literal",
    ),
    _language("bash", "", "", "", "string raw_string word concatenation"),
)
LANGUAGES: Mapping[str, Language] = {language.name: language for language in _LANGUAGES}

_EXTENSIONS: Mapping[str, str] = {
    extension: language
    for language, extensions in (
        ("python", ".py .pyi .pyw .ipynb"),
        ("javascript", ".js .jsx .mjs .cjs"),
        ("typescript", ".ts .mts .cts"),
        ("tsx", ".tsx"),
        ("go", ".go"),
        ("ruby", ".rb .rake .ru"),
        ("php", ".php .phtml"),
        ("java", ".java"),
        ("kotlin", ".kt .kts"),
        ("csharp", ".cs"),
        ("bash", ".sh .bash .zsh"),
        # A component's scripts are typescript; the rest is blanked.
        ("component", ".vue .svelte .astro .html .htm"),
        # Raw requests only, found line by line.
        (
            "text",
            ".http .rest .ps1 .bat .cmd .rs .swift .dart .ex .exs .lua .pl .r .scala .m .cpp .cc .c .h .hpp .clj .elm"
            " .fs .vb .groovy .jl .yml .yaml .mk",
        ),
    )
    for extension in extensions.split()
}
_FILE_NAMES = {"Makefile": "text", "Dockerfile": "text", "Rakefile": "ruby", "Jenkinsfile": "text"}
_INTERPRETERS = {"python": "python", "bash": "bash", "sh": "bash", "zsh": "bash", "node": "javascript", "ruby": "ruby"}


def detect_language(name: str, first_line: bytes = b"") -> str | None:
    """The language of a file by its name, else by its `#!` line; None for what is not read."""
    dot = name.rfind(".")
    if dot > 0:
        return _EXTENSIONS.get(name[dot:].lower())
    if name in _FILE_NAMES:
        return _FILE_NAMES[name]
    if first_line.startswith(b"#!"):
        program = first_line.decode("latin-1").split("/")[-1].split()
        words = [word.rstrip("0123456789.") for word in program]
        return next((_INTERPRETERS[word] for word in words if word in _INTERPRETERS), None)
    return None
