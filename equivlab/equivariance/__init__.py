"""The law, once: what obeys it, what breaks it, and why.

Every layer has an ``in_field`` and an ``out_field`` and obeys ``layer(in_field.act(g, x)) ==
out_field.act(g, layer(x))``. Here it is measured and explained.
"""

from equivlab.equivariance.asserting import assert_equivariant, law_errors
from equivlab.equivariance.auditing import audit
from equivlab.equivariance.budget import ErrorBudget, error_budget
from equivlab.equivariance.curve import disc
from equivlab.equivariance.error import equivariance_error, equivariance_errors
from equivlab.equivariance.finer import oversampled, without_steps
from equivlab.equivariance.recording import Call, evaluating, read_layer, record
from equivlab.equivariance.report import AuditReport

__all__ = [
    "AuditReport",
    "Call",
    "ErrorBudget",
    "assert_equivariant",
    "audit",
    "disc",
    "equivariance_error",
    "equivariance_errors",
    "error_budget",
    "evaluating",
    "law_errors",
    "oversampled",
    "read_layer",
    "record",
    "without_steps",
]
