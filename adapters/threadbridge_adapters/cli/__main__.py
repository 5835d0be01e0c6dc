"""`python -m threadbridge_adapters.cli` is `threadbridge`."""

from threadbridge_adapters.cli import main

main()
