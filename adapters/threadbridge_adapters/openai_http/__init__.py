"""One OpenAI-compatible service through the openai SDK: its client and the mapping of its errors.

Both backends use it: one for a Responses service, the other for an Assistants service.
"""
