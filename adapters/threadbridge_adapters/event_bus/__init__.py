"""Implementations of the event bus (`ports.EventBus`)."""
