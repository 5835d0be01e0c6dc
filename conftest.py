"""One hypothesis profile for all tests: no deadlines and no health checks that fail on a busy machine."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("local", max_examples=50, deadline=None, suppress_health_check=_QUIET)
settings.register_profile("ci", settings.get_profile("local"), max_examples=100)
settings.load_profile("ci" if os.environ.get("CI") else "local")
