"""For Python's fork server alone, which imports it as it starts: what every replay needs.

A torch that is broken must not end the server: each process that needs torch says what is wrong.
"""

from contextlib import suppress

from esper_audit.recording.usable_torch import import_torch_quietly

with suppress(Exception):  # ours too fails on a torch that lacks what every torch has
    import_torch_quietly()
    import esper_audit._dynamo.preload  # noqa: F401
