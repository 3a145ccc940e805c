"""What the user decided, read from one TOML file and checked before anything uses it.

The values are plain and frozen (``values``), the grammar of hours is pure (``hours``). pydantic judges what
the file says (``document``), and is imported only where something may be wrong with it (``plain``).
"""

from __future__ import annotations

from quotad.settings.hours import Span, WorkingHours, is_quiet, next_change
from quotad.settings.load import SettingsInvalid, load
from quotad.settings.show import as_json, as_toml
from quotad.settings.values import ExtraWindow, Notify, Plan, Settings, Source

__all__ = [
    "ExtraWindow",
    "Notify",
    "Plan",
    "Settings",
    "SettingsInvalid",
    "Source",
    "Span",
    "WorkingHours",
    "as_json",
    "as_toml",
    "is_quiet",
    "load",
    "next_change",
]
