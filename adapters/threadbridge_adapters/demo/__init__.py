"""`threadbridge demo`: the whole of it on one machine, in one minute, with nothing set up."""

from threadbridge_adapters.demo.runner import show

__all__ = ["show"]
