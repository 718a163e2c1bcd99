"""What a question other than `solve` found, for notebooks: data, the JSON that the command prints, and its text."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any


@dataclass(frozen=True)
class Result:
    """The answer to one question as plain data."""

    data: dict[str, Any]
    prints: Callable[[], None]
    """Prints the same for people."""

    def to_json(self) -> str:
        """The text that the command prints with `--json`."""
        return json.dumps(self.data, indent=2, ensure_ascii=False)

    @cached_property
    def text(self) -> str:
        """The text that the command prints for people."""
        with redirect_stdout(io.StringIO()) as printed:
            self.prints()
        return printed.getvalue()

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """The text in a notebook."""
        return f"<pre>{escape(self.text)}</pre>"
