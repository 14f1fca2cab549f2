"""Reports: pure functions from a judged run to words. No torch."""
