"""Launch files of training frameworks, read as runs; nothing in them is ever run."""
