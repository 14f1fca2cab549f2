"""For Python's fork server alone, which imports it as it starts: it ends with the audit.

Its replays lead process groups of their own, so that a closed terminal would not end them.
"""

from esper_audit.replay.alone import die_with_parent

die_with_parent()
