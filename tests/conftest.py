"""What all tests share: examples drawn alike on every machine, however slow, and a Ctrl-C that arrives."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("plan", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("plan"), max_examples=20)

# What a user has on disk must not change a test, nor a test what a user has on disk.
os.environ["PLAN_NO_CACHE"] = "1"

# A shell starts its background jobs with SIGINT ignored, and their children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """The quick tests draw fewer examples than those with the slow ones."""
    settings.load_profile("quick" if "not slow" in config.option.markexpr else "plan")
