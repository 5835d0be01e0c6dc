"""Tests of `migrate mirror`."""
