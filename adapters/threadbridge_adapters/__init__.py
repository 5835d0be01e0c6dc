"""The I/O of ThreadBridge: backends, stores, the SDK transport, the gateway, the simulator and the command line."""
