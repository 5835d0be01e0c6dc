"""Token counting with the installed tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest

from threadbridge.context_window.tokens import estimate_tokens
from threadbridge_adapters import token_counter as token_counter_module
from threadbridge_adapters.token_counter import create_token_counter

#: Counted with tiktoken 0.12, o200k_base.
KNOWN = {"hello world": 2, "<|endoftext|>": 7, "": 0, "The quick brown fox jumps over the lazy dog. ": 11}


@pytest.mark.parametrize("text", KNOWN)
def test_token_counts_equal_those_of_the_model_encoding(text: str) -> None:
    assert create_token_counter()(text) == KNOWN[text]


def test_text_that_no_tokenizer_accepts_is_estimated() -> None:
    assert create_token_counter()("\ud83d and more") == estimate_tokens("\ud83d and more")


def find_nothing(name: str) -> None:
    """`find_spec` where no tokenizer is installed."""


def find_all_but_quicktok(name: str) -> object | None:
    """`find_spec` where only the slower tokenizer is installed."""
    return None if name == "quicktok" else object()


def test_without_a_tokenizer_tokens_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_counter_module, "find_spec", find_nothing)

    assert create_token_counter() is estimate_tokens


def test_a_tokenizer_that_would_download_its_table_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(token_counter_module, "find_spec", find_all_but_quicktok)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))

    assert create_token_counter() is estimate_tokens


def test_a_tokenizer_with_its_table_on_disk_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "table").touch()
    monkeypatch.setattr(token_counter_module, "find_spec", find_all_but_quicktok)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))

    assert create_token_counter() is not estimate_tokens
