"""What an agent's loop decides: which function answers a call, with what, when to look again, how a run ended.

Pure decisions; the driving is done by `threads.runs.execute`.
"""
