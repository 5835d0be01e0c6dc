"""The command `migrate`: one module per subcommand."""
