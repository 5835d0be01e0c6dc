"""Evidence for what survives what: scenarios that count faults, run by `python -m tests.reliability`."""
