"""The command `threadbridge demo`: a demonstration that takes a minute and needs no configuration."""

from threadbridge_adapters.demo.runner import run_demo

__all__ = ["run_demo"]
