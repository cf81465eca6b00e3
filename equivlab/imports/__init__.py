"""How the package imports: names that are loaded late, and packages that come with an extra.

It stands below every other room and imports nothing but the standard library.
"""

from equivlab.imports.extras import needs_extra
from equivlab.imports.late import late_names

__all__ = ["late_names", "needs_extra"]
