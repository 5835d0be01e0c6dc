"""Detects the capabilities of a Responses service, and finds problems in settings and store that raise no error."""
