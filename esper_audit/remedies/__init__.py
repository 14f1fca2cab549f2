"""Candidates for each cause, and what a trial of one proves. Loads without torch."""
