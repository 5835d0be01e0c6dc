"""Archives: directories of JSON Lines that outlive the service their objects came from."""
