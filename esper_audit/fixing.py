"""A whole run of `esper-audit fix`: audit, try remedies for what failed, keep what was proven."""

from __future__ import annotations
