"""Export of threads from a service or a store into an archive."""
