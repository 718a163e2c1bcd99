"""Seconds and bytes of a layout: pure functions over NumPy arrays, no input or output, no state."""
