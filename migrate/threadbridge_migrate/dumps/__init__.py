"""Turns dumps that people have into archives: `migrate import-dump`."""
