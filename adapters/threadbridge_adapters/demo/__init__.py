"""`threadbridge demo`: the whole of it on one machine, in one minute, with nothing set up."""

from threadbridge_adapters.demo.runner import run_demo

__all__ = ["run_demo"]
