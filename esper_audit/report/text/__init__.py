"""Reports for readers: on a terminal, and where nothing is wrapped or coloured."""
