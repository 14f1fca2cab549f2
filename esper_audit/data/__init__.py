"""Plain frozen data and its saved form: standard library and msgspec only."""
