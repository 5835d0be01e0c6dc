"""`migrate audit` and `migrate rewrite`: call sites of the Assistants API in source code."""
