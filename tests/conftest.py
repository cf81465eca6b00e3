"""Settings for every test."""

from __future__ import annotations

import torch

# Two pytest workers that each take all cores slow each other down.
torch.set_num_threads(1)
