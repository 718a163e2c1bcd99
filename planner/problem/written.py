"""A problem or run as the mapping that its file would hold, with every default filled in."""

from __future__ import annotations

from typing import Any

from planner.problem.schema_base import SchemaFile


def as_written(file: SchemaFile) -> dict[str, Any]:
    """Keys and values as a file states them, overrides applied and defaults filled in; what has no default is left out.

    Reading the mapping again gives an equal file.
    """
    return file.model_dump(mode="json", by_alias=True, exclude_none=True)
