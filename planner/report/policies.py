"""What a job does while spot nodes are away, in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

POLICIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "steady": "no spot nodes",
        "wait": "the job waits until all are back",
        "fallback": "on-demand nodes stand in for them",
        "elastic": "the job goes on with fewer data-parallel replicas",
        "progress": "on-demand nodes step in when the job falls behind",
    }
)
"""By the name of the policy."""
