"""Tables as data frames, for notebooks that have pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.errors import InputError


def frame_of(records: Sequence[Mapping[str, object]]) -> Any:  # noqa: ANN401  (pandas is no dependency)
    """A data frame with a row per record. Raises InputError without pandas."""
    try:
        import pandas as pd  # noqa: PLC0415  (takes longer to import than most answers)
    except ImportError:
        raise InputError("data frames need pandas, which is not installed", fix="pip install pandas") from None
    return pd.DataFrame.from_records(list(records))
