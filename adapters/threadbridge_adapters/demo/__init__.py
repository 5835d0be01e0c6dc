"""`threadbridge demo`: a demonstration on one machine that needs a minute and no configuration."""

from threadbridge_adapters.demo.runner import run_demo

__all__ = ["run_demo"]
