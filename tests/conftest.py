"""What all tests share: examples drawn alike on every machine, however slow, and a Ctrl-C that arrives."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

settings.register_profile("plan", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("plan")

# A shell starts its background jobs with SIGINT ignored, and their children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
