"""The context window: count the tokens of a thread's entries, select the history of a turn, and report it (§11)."""
