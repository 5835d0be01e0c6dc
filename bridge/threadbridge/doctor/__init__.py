"""What a Responses service can do, found out by asking it, and what in a store or its settings goes wrong silently."""
