"""Tests of `migrate import-dump`."""
