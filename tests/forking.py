"""Tests that fork, or kill: not on a system that does not."""

from __future__ import annotations

import os

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
