"""What can go wrong with archives and exports beyond what the source does."""

from __future__ import annotations

from threadbridge.errors import ConfigurationError, StoreError


class ArchiveError(StoreError):
    """The directory is not an archive, a damaged one, or one that this version must not touch."""


class UsageError(ConfigurationError):
    """The command was asked for something that makes no sense; its message says what would."""
