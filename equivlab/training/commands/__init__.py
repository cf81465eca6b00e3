r"""``python -m equivlab``: train, fine-tune, predict, audit, simulate, verify; on any machine.

    python -m equivlab finetune photos --from physics-p4m --out runs/photos
    python -m equivlab predict runs/photos new-photos --out predictions.csv
    python -m equivlab audit runs/photos --images new-photos --group P4M
    python -m equivlab simulate lenses/train --model II --count 90000 --seed 0 --workers 8
    python -m equivlab simulate lenses/validate --model II --count 15000 --seed 1
    python -m equivlab train --data.train lenses/train --data.validate lenses/validate \
        --model.group P4M --model.recipe.epochs 10 --machine.devices 4 --folder runs/p4m
    python -m equivlab verify lenses/train runs/p4m/training

``finetune`` takes a trained network to a folder of images of your own. ``train`` trains one anew on
sets larger than memory, by `fit_lightning`, and ends in the same weights: ``train --help-all``
lists everything, ``--print_config`` writes a configuration, ``--config`` reads one. Run the same
command again after a kill: it goes on. To keep the mean of the last weights: ``--swa 0.75``, or, as
every callback, ``--callbacks+=equivlab.training.EqualWeightAveraging``; to validate with fresh
statistics of the batch norms: ``--callbacks+=equivlab.training.RenewedNorms``.
"""

from equivlab.training.commands.choosing import main

__all__ = ["main"]
