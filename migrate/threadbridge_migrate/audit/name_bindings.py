"""Names that a program gives to resources and methods of a client, found in its text by the forms of bindings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from threadbridge_migrate.audit.languages import Language
from threadbridge_migrate.audit.operations import normalise, split_resource


@dataclass(slots=True)
class ResourceAliases:
    """Names that stand for a resource or a method: `threads = client.beta.threads`."""

    paths: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def expand(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
        """The names with an alias at their beginning replaced, and how many names were added."""
        for count in (3, 2, 1):
            if len(names) >= count:
                key = ".".join(names[:count]).removeprefix("self.").removeprefix("this.").lstrip("@$")
                if key in self.paths:
                    path = self.paths[key]
                    return (*path, *names[count:]), len(path) - count
        return names, 0


_ALIAS_END = r"(?:beta|assistants|threads|messages|runs|steps)"
_ALIAS = re.compile(
    r"(?<![\w.$@])(?P<name>[$@]?[A-Za-z_][\w.$]{0,80})[ \t]*(?::\s*[^=\n]{1,60})?(?<![=!<>]):?\|{0,2}=(?!=)\s*"
    rf"(?:\(?await\s+)?(?P<value>[$@A-Za-z_][\w.$?!>\-\[\]\"'()]*?(?:\.|->|\?\.)(?i:{_ALIAS_END})(?:\(\))?(?:[.]\w+)?)\)?"
    r"(?=\s*(?:[;,\n})]|$))"
)
_RETURN = re.compile(
    r"\b(?:def|function|func|fun|get)\s+(?:self\.)?(?P<name>\w+)\b[^\n]*\n(?:[^\n]*\n){0,3}?[^\n]{0,200}?"
    rf"(?:return|=>)?\s*(?P<value>[$@A-Za-z_][\w.$?!>\-()]*?(?:\.|->)(?i:{_ALIAS_END})(?:\(\))?)\s*;?[ \t]*\n"
)
_DESTRUCTURING = re.compile(
    r"\{(?P<names>[^{}();=]*(?:\{[^{}();=]*(?:\{[^{}();=]*\})?[^{}();=]*\})?[^{}();=]*)\}\s*(?::[^=\n]+)?="
    r"\s*(?:await\s+)?(?P<value>[\w.$?!()]+)"
)
_PYTHON_TUPLE = re.compile(
    r"^[ \t]*(?P<names>\w+(?:[ \t]*,[ \t]*\w+)+)[ \t]*=[ \t]*(?P<values>[\w.]+(?:[ \t]*,[ \t]*[\w.]+)+)", re.M
)


def _split_path(value: str) -> tuple[str, ...]:
    return tuple(part.strip("()?![]\"' ") for part in re.split(r"\.|->|\[", value.replace("?.", ".")) if part)


def find_aliases(text: str, language: Language) -> ResourceAliases:
    """Aliases in the order of the text, each of which may use those before it."""
    aliases = ResourceAliases()
    bindings: list[tuple[int, str, tuple[str, ...]]] = []
    for found in [*_ALIAS.finditer(text), *_RETURN.finditer(text)]:
        path = _split_path(found["value"])
        if language.name != "ruby" or split_resource([normalise(name) for name in path[-1:]]) is not None:
            # Elsewhere a method without parentheses is not called.
            bindings.append((found.start(), found["name"], path))
    if language.name == "python":
        for found in _PYTHON_TUPLE.finditer(text):
            pairs = zip(found["names"].split(","), found["values"].split(","), strict=False)
            bindings += [(found.end(), name.strip(), _split_path(value.strip())) for name, value in pairs]
    if language.name in ("javascript", "typescript", "tsx"):
        for found in _DESTRUCTURING.finditer(text):
            root = _split_path(found["value"])
            bindings += [(found.start(), name, (*root, *path)) for name, path in _iterate_pattern(found["names"])]
    for _, name, path in sorted(bindings, key=lambda binding: binding[0]):
        expanded, _ = aliases.expand(path)
        if _leads_to_api(expanded):
            aliases.paths[name.removeprefix("self.").removeprefix("this.").lstrip("$@")] = expanded
    return aliases


def _leads_to_api(path: tuple[str, ...]) -> bool:
    words = [normalise(name) for name in path]
    return "beta" in words[1:] or any(split_resource(words[start:]) is not None for start in range(1, len(words)))


def _iterate_pattern(pattern: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names that a destructuring pattern binds, with their paths: `beta: { threads: t }` binds t."""
    path: list[str] = []
    for token in re.findall(r"([\w$]+)\s*:\s*\{|([\w$]+)\s*:\s*([\w$]+)|([\w$]+)|(\})", pattern):
        opened, key, name, plain, closed = token
        if opened:
            path.append(opened)
        elif closed:
            path = path[:-1]
        elif key:
            yield name, (*path, key)
        else:
            yield plain, (*path, plain)
