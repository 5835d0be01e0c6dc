"""The decisions of a tool loop: which function a tool call invokes, its output, when to poll, and how a run ended.

Pure decisions; `threads.runs.execute` of the client acts on them.
"""
