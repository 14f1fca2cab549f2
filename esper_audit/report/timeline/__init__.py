"""A report as a timeline, in the Trace Event Format that Perfetto and chrome://tracing open."""
