"""`migrate check`: compares two places that hold threads."""
