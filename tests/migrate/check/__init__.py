"""Tests of `migrate check`."""
