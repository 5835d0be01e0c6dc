"""Cost ratios: ThreadBridge compared with alternatives, in the same run and on the same fast upstream."""
