"""What of a thread a model is shown: weighing its entries, choosing among them, and saying what was chosen (§11)."""
