"""One OpenAI-compatible service through the openai SDK: its client, and the border where its errors become ours.

Both backends stand on it: the Responses service behind one, the Assistants service behind the other.
"""
