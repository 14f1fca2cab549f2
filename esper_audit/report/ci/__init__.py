"""Reports for machines: every kind as cases with problems, and the formats made of those."""
