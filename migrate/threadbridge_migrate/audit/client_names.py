"""Which names of a program are clients of the API: those made by an OpenAI SDK, wrapped or passed on.

The program is not executed and its types are not checked. A name is looked up where the text binds it: assignments,
declarations with a type, parameters, context managers, and functions of that name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import lru_cache

#: What names, types and modules of these clients contain.
CLIENT_NAME = re.compile(
    r"openai|open_ai|threadbridge|Assistants?(?:Async)?Client|Agents(?:Administration)?(?:Async)?Client|AIProjectClient",
    re.IGNORECASE,
)
#: The same for Microsoft Foundry, whose resources are not below `beta`.
FOUNDRY_NAME = re.compile(r"Agents(?:Administration)?(?:Async)?Client|AIProjectClient|AssistantsClient")
_MODULE = rf"[\w./@\\:-]*(?:{CLIENT_NAME.pattern}|azure[./]ai[.-](?:agents|projects)|ai-agents|ai-projects)[\w./@\\:-]*"
_IMPORTS = {
    "python": re.compile(rf"^[ \t]*(?:from|import)[ \t]+{_MODULE}|\bimport_module\(['\"]openai", re.M | re.I),
    "script": re.compile(rf"(?:\bfrom|\brequire\s*\(|\bimport\s*\(|\bimport)\s*['\"]{_MODULE}['\"]", re.I),
    "go": re.compile(rf"\"[\w.-]{{1,60}}\.[\w-]{{1,20}}/{_MODULE}\"", re.I),
    "ruby": re.compile(rf"^[ \t]*(?:require|gem)[ (]*['\"]{_MODULE}['\"]|\bOpenAI::", re.M | re.I),
    "php": re.compile(r"^[ \t]*use\s+\\?[\w\\]*openai|\bOpenAI::|\\?OpenAI\\|\bnew\s+OpenAi\(", re.M | re.I),
    "jvm": re.compile(r"^[ \t]*import\s+[\w.]*(?:openai|ai\.agents)", re.M | re.I),
    "csharp": re.compile(
        r"^[ \t]*(?:global\s+)?using\s+(?:\w+\s*=\s*)?[\w.]*(?:openai|Azure\.AI\.Agents)", re.M | re.I
    ),
}
FAMILIES = {
    "python": "python",
    "javascript": "script",
    "typescript": "script",
    "tsx": "script",
    "go": "go",
    "ruby": "ruby",
    "php": "php",
    "java": "jvm",
    "kotlin": "jvm",
    "csharp": "csharp",
}
_PYTHON_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]+)|import[ \t]+([^\n#]+))", re.M
)
_SCRIPT_IMPORT = re.compile(
    r"\bimport\s+(?:type\s+)?([\w$*{}\s,]{1,600}?)\s+from\s*['\"]([^'\"]+)['\"]"
    r"|\b(?:const|let|var)\s+([\w${}\s,:]{1,300}?)\s*=\s*(?:await\s+)?(?:require|import)\s*\(\s*['\"]([^'\"]+)['\"]"
)
_JVM_IMPORT = re.compile(r"^[ \t]*(?:import|use)\s+(?:static\s+)?([\w.\\]+[.\\](\w+))", re.M)
_CONSTRUCTION = re.compile(r"^\s*(?:await\s+)?new\s+\\?(\w+)")
#: The call of a class, or of a Go constructor.
_CALLED_CLASS = re.compile(r"(?:[\w$]+\.)*(?:[A-Z]\w*)\s*[(<]")
#: Python modules whose objects stand for anything: annotations, dependencies, state.
_NEUTRAL_MODULES = sys.stdlib_module_names | frozenset(
    ("attr", "attrs", "dependency_injector", "django", "fastapi", "flask", "injector", "pydantic", "streamlit")
)
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")


class Origin(Enum):
    """Where a name comes from."""

    CLIENT = "a client of the API"
    OTHER = "another library"
    UNKNOWN = "not visible in the file"


def imports_client(text: str, language: str) -> bool:
    """Whether the text of a program imports a client of the API."""
    family = FAMILIES.get(language)
    return family is not None and _IMPORTS[family].search(text) is not None


@lru_cache(maxsize=512)
def _compile_bindings(name: str) -> re.Pattern[str]:
    word = re.escape(name)
    return re.compile(
        # name [: type] = value, in one statement
        rf"(?<![\w.]){word}\s*(?:[?!]?:\s*(?P<type>[^=\n;]{{1,120}}?))?\s*(?:\|\||\?\?|:|or)?=(?![=>])\s*"
        rf"(?P<value>[^\n;]{{0,200}}(?:\n[^\n;]{{0,120}})?)"
        # the same for attributes
        rf"|[.@]{word}\s*(?::\s*(?P<type2>[^=\n;]{{1,80}}?))?\s*(?:\|\||\?\?)?=(?![=>])\s*(?P<value2>[^\n;]{{0,200}})"
        # name: type
        rf"|(?<![\w.]){word}[?!]?\s*:\s*(?P<type3>[\w.\[\]|\"'<>?]{{1,80}})"
        # type name; name type
        rf"|(?<![\w.])(?P<type4>[\w.<>\\*?\[\]]{{3,80}})(?=[ \t]+[$@*]?{word}\s*[,;)={{(\[])"
        rf"|(?<![\w.]){word}[ \t]+(?P<type5>\*?[\w.]{{3,80}})"
        # value as name
        rf"|\b(?:with|import|=)\b(?P<value3>[^\n]{{1,200}}?)\bas[ \t]+{word}\b"
        # a function of that name, and its first lines
        rf"|\b(?:def|fun|func|function|get)\s+(?:self\.)?{word}\b(?P<value4>[^\n]*(?:\n[^\n]*){{0,6}})"
    )


class ClientNames:
    """The origins of the names of one program."""

    def __init__(self, text: str, language: str, local_modules: AbstractSet[str]) -> None:
        self.text = text
        self.family = FAMILIES.get(language, "")
        #: Whether the file imports a client itself.
        self.imports_client = imports_client(text, language)
        self._client_names: set[str] = set()
        self._other_names: set[str] = set()
        for name, module, is_module in self._iterate_imports():
            root = re.split(r"[./\\]", module.lstrip("@"))[0]
            if CLIENT_NAME.search(module) or re.search(_MODULE, module, re.I):
                self._client_names.add(name)
                continue
            is_local = module.startswith((".", "/", "~", "@/", "#")) or root in local_modules | _NEUTRAL_MODULES
            if not is_local and (name[:1].isupper() or is_module):  # an object that is imported may be a client
                self._other_names.add(name)
        self._origins: dict[str, Origin] = {}

    def _iterate_imports(self) -> Iterator[tuple[str, str, bool]]:
        """Each imported name with its module, and whether it stands for the module."""
        match self.family:
            case "python":
                for found in _PYTHON_IMPORT.finditer(self.text):
                    if found[1]:
                        yield from ((name, found[1], False) for name in _split_names(found[2], " as "))
                        continue
                    for words in (item.split() for item in found[3].split(",")):
                        if words:  # `import openai as ai`
                            yield words[-1].split(".")[0], words[0], True
            case "script":
                for found in _SCRIPT_IMPORT.finditer(self.text):
                    for name in _split_names(found[1] or found[3], " as ", ":"):
                        yield name, found[2] or found[4], False
            case "jvm" | "php":
                yield from ((found[2], found[1], False) for found in _JVM_IMPORT.finditer(self.text))
            case _:
                return

    def classify(self, root: str, depth: int = 0) -> Origin:
        """The origin of the name or expression with which a chain of members begins."""
        words = [word for word in _IDENTIFIER.findall(root) if word not in ("self", "this", "await", "new", "cls")]
        if not words:
            return Origin.UNKNOWN
        if any(self._is_client(word) for word in words):
            return Origin.CLIENT
        if len(words) > 1 and words[0] in self._other_names:
            return Origin.OTHER
        name = words[-1] if len(words) < 3 else words[0]
        if name in self._origins or depth > 3:
            return self._origins.get(name, Origin.UNKNOWN)
        self._origins[name] = Origin.UNKNOWN  # ends cycles
        self._origins[name] = self._classify_bindings(name, depth)
        if self._origins[name] is Origin.UNKNOWN and name in self._other_names:
            self._origins[name] = Origin.OTHER
        return self._origins[name]

    def _is_client(self, word: str) -> bool:
        return word in self._client_names or CLIENT_NAME.search(word) is not None

    def _classify_bindings(self, name: str, depth: int) -> Origin:
        origins: set[Origin] = set()
        for found in _compile_bindings(name).finditer(self.text):
            parts = [part for part in found.groups() if part]
            if any(self._is_client(word) for part in parts for word in _IDENTIFIER.findall(part)):
                return Origin.CLIENT
            value = found["value"] or found["value2"] or found["value3"]
            declared = found["type"] or found["type2"] or found["type3"] or found["type4"]
            if value:
                origins.add(self._classify_value(value, name, depth))
            if declared:
                origins.add(self._classify_type(declared, name, depth))
        return (
            Origin.OTHER if Origin.OTHER in origins else Origin.CLIENT if Origin.CLIENT in origins else Origin.UNKNOWN
        )

    def _classify_value(self, value: str, name: str, depth: int) -> Origin:
        """The origin of a bound value; that of another library only for an object of one of its classes."""
        bare = re.sub(r"^\s*(?:await|new|return|async|with)\s+", "", value)
        first = _IDENTIFIER.search(bare)
        if first is None or first[0] in (name, "self", "this"):
            return Origin.UNKNOWN
        if first[0] in self._other_names:
            called = _CALLED_CLASS.match(bare)
            return Origin.OTHER if called is not None else Origin.UNKNOWN
        construction = _CONSTRUCTION.match(value)
        if construction is not None and not re.search(rf"\bclass\s+{construction[1]}\b", self.text):
            return Origin.OTHER if self.family in ("csharp", "jvm", "php") else Origin.UNKNOWN
        return self.classify(first[0], depth + 1)

    def _classify_type(self, declared: str, name: str, depth: int) -> Origin:
        first = _IDENTIFIER.search(declared)
        if first is None or first[0] == name:
            return Origin.UNKNOWN
        return Origin.OTHER if first[0] in self._other_names else self.classify(first[0], depth + 1)


def _split_names(names: str, *renames: str) -> Iterator[str]:
    """The names that an import list binds, after renaming."""
    for item in re.sub(r"[(){}*\\]", " ", names).split(","):
        for rename in renames:
            item = item.split(rename)[-1]
        if words := item.split():
            yield words[-1]
