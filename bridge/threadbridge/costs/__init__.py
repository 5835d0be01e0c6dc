"""What runs cost: pricing turns, bounding what is spent, and telling both."""
