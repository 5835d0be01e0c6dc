"""Ratios of cost: ThreadBridge beside what else there is, in the same run, against the same fast upstream."""
