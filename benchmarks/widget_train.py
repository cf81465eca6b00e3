"""What TrainLive costs beside `fit` alone: CPU seconds of the same training, with and without.

    python benchmarks/widget_train.py [--epochs 6] [--rounds 5]

`P4CNN` on the digits of scikit-learn, batches of 64, seed 0, one thread, inside a real kernel whose
messages are sent. Both train to the same weights and take turns in being first.
CPU time of the whole kernel, since a busy machine stretches the clock. The time
of the widget has the look after the training in it, not the one before.
"""

from __future__ import annotations

import argparse
import json
import statistics

import nbformat
from nbconvert.preprocessors import ExecutePreprocessor

MEASURE = """
import gc, json, time
import torch
from equivlab.data import digit_images
from equivlab.models import P4CNN
from equivlab.training import fit
from equivlab.widgets import TrainLive

torch.set_num_threads(1)
x, y = digit_images()
held = (x[:100], y[:100])
how = dict(epochs={epochs}, batch_size=64, seed=0)

def alone():
    torch.manual_seed(0)
    model = P4CNN()
    began = time.process_time()
    fit(model, x[100:], y[100:], progress=False, **how)
    return model, time.process_time() - began, None

def watched():
    torch.manual_seed(0)
    live = TrainLive(P4CNN(), (x[100:], y[100:]), held, **how)
    began = time.process_time()
    live.train()
    return live.model, time.process_time() - began, live

alone()  # what is loaded and compiled once
rows = []
for turn in range({rounds}):
    pair = [alone, watched] if turn % 2 else [watched, alone]
    found = {{make.__name__: make() for make in pair}}
    (one, fit_s, _), (other, live_s, live) = found["alone"], found["watched"]
    assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    budget = live._run.budget
    rows.append(dict(fit=fit_s, live=live_s, looks=len(live.seen), spent=budget.spent,
                     trained=budget.trained, last=budget.cost))
    gc.collect()
print(json.dumps(rows))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cell = nbformat.v4.new_code_cell(MEASURE.format(**vars(arguments)))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    ExecutePreprocessor(timeout=3600).preprocess(notebook)
    text = "".join(out.get("text", "") for out in cell.outputs if out.get("name") == "stdout")
    rows = json.loads(text)
    ratios = [row["live"] / row["fit"] for row in rows]
    shares = [(row["spent"] - row["last"]) / row["trained"] for row in rows]
    middle = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    print("fit_s,live_s,ratio,ratio_low,ratio_high,share_while_training,looks")
    print(
        f"{middle['fit']:.2f},{middle['live']:.2f},{statistics.median(ratios):.3f},"
        f"{min(ratios):.3f},{max(ratios):.3f},{statistics.median(shares):.3f},{middle['looks']:.0f}"
    )


if __name__ == "__main__":
    main()
