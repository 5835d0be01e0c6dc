"""Tests of `migrate load`."""
