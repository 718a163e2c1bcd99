"""Failures, spot capacity and checkpoints: how long a run takes and how sure that is, as pure functions over arrays."""
