"""Deductions for late submissions, which are always reported."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

__all__ = ["LatePolicy"]


@dataclass(frozen=True)
class LatePolicy:
    """A due date, and the share of the points deducted for each started day of lateness.

    Attributes:
        due: Time after which a submission is late, in the time zone of the course system.
        per_day: Share of the earned points per day, 0 to 1; 0 only reports the days.
    """

    due: datetime
    per_day: float = 0.0

    def as_plain(self) -> list:
        """Return the policy as values for JSON."""
        return [self.due.isoformat(), self.per_day]

    @classmethod
    def from_plain(cls, plain: list | None) -> LatePolicy | None:
        """Return the policy from the values of `as_plain`, None for None."""
        return cls(datetime.fromisoformat(plain[0]), plain[1]) if plain else None

    def days(self, submitted: str) -> int:
        """Return the started days after the due date, 0 if the time is unknown.

        >>> LatePolicy(datetime(2026, 3, 1, 12)).days("2026-03-02T12:00:01")
        2
        """
        if not submitted:
            return 0
        seconds = (_naive(submitted) - self.due).total_seconds()
        return max(0, math.ceil(seconds / 86_400))

    def deduction(self, submitted: str, points: float) -> float:
        """Return the points to deduct from `points` for lateness."""
        return min(1.0, self.per_day * self.days(submitted)) * points

    def words(self, submitted: str, deduction: float) -> str:
        """Return a sentence on a submission's lateness, "" if it is on time."""
        days = self.days(submitted)
        if not submitted:
            return "The submission time is unknown, so this counts as on time."
        if not days:
            return ""
        late = f"Handed in {days} {'day' if days == 1 else 'days'} late"
        return f"{late}: {deduction:g} points deducted." if deduction else f"{late}."


def _naive(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)
