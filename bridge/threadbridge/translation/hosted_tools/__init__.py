"""Tools that the service runs itself: one module for each tool, and one row in the registry."""
