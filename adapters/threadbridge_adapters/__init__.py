"""What ThreadBridge does I/O with: backends, stores, doors, the simulator and the command line."""
