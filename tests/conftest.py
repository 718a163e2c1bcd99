"""What all tests share: examples drawn alike on every machine, however slow, and a Ctrl-C that arrives."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile("plan", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("plan")

# What a user has on disk must not change a test, nor a test what a user has on disk.
os.environ["PLAN_NO_CACHE"] = "1"

# A shell starts its background jobs with SIGINT ignored, and their children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
