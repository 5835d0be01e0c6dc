"""Assistants as reviewed configuration: a file each, with the instructions next to it."""
