"""Errors of archives and exports, in addition to the errors of the source."""

from __future__ import annotations

from threadbridge.errors import ConfigurationError, StoreError


class ArchiveError(StoreError):
    """The directory is not an archive, or the archive is damaged, locked, or of an unsupported version."""


class UsageError(ConfigurationError):
    """Wrong usage of the command; the message names a correct one."""
