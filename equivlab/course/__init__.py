"""Checks of the exercises of the course."""

from equivlab.course.breaking import check_culprits, check_steps
from equivlab.course.dense import check_halve, check_place
from equivlab.course.groups import check_compose, check_orbit
from equivlab.course.lensing import check_auc, check_vote
from equivlab.course.plane import check_action, check_lift, check_repair
from equivlab.course.sky import check_frame, check_masked_spectrum
from equivlab.course.space import check_products, check_screws, check_turn, score_screws
from equivlab.course.sphere import check_group_mean, check_mean, check_outer, check_polar_turn
from equivlab.course.steerable import check_kernel, check_steer
from equivlab.course.transfer import check_freeze, check_group_filter, small_network
from equivlab.course.verdict import Verdict

__all__ = [
    "Verdict",
    "check_action",
    "check_auc",
    "check_compose",
    "check_culprits",
    "check_frame",
    "check_freeze",
    "check_group_filter",
    "check_group_mean",
    "check_halve",
    "check_kernel",
    "check_lift",
    "check_masked_spectrum",
    "check_mean",
    "check_orbit",
    "check_outer",
    "check_place",
    "check_polar_turn",
    "check_products",
    "check_repair",
    "check_screws",
    "check_steer",
    "check_steps",
    "check_turn",
    "check_vote",
    "score_screws",
    "small_network",
]
