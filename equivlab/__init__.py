"""equivlab: learn, teach and use rotation-equivariant neural networks.

A tensor is a field, and a field knows how the group acts on it. Start with
`equivlab.groups`, `equivlab.fields` and `equivlab.nn`.
"""

from __future__ import annotations

from equivlab.audit import audit

__all__ = ["audit"]

__version__ = "0.1.0"
