"""The decisions of the emulated Assistants service: pure functions over one transaction (`ports.Session`).

Every function runs inside a transaction that the engine opened, reads and writes rows through the session, and returns
wire objects. It uses no clock, network or threads; `ServiceContext` carries the time and the source of ids.
"""
