"""`migrate load`: puts the threads of an archive into a store."""
