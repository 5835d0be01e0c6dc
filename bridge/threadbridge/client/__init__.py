"""The neutral interface: clients of a backend, shaped like the openai SDK's `client.beta`."""
