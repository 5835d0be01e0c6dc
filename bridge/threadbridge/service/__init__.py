"""What the emulated Assistants service decides: pure functions over one transaction (`ports.Session`).

Every function here runs inside a transaction that an adapter opened, reads and writes rows through the session, and
returns wire objects. It knows no clock, no network and no threads; `Context` brings the time and the ids.
"""
