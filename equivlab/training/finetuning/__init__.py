"""Take a trained network to a folder of images of one's own, and away again as one file."""

from equivlab.training.finetuning.gathering import Gathered, gather
from equivlab.training.finetuning.running import FineTuned, finetune
from equivlab.training.finetuning.schedule import Schedule, schedule_for
from equivlab.training.finetuning.starting import begin

__all__ = ["FineTuned", "Gathered", "Schedule", "begin", "finetune", "gather", "schedule_for"]
