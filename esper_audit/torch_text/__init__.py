"""Torch's wording, read without torch: guard texts, reasons, trace records, sources."""
