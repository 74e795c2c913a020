"""How each outcome of an exercise looks: its sign, its words and its style."""

from typing import NamedTuple

__all__ = ["LOOKS", "Look"]


class Look(NamedTuple):
    """The sign, the words and the CSS class of an outcome."""

    sign: str
    words: str
    style: str


LOOKS = {
    "correct": Look("✓", "Correct", "good"),
    "marked": Look("✓", "Marked by a person", "good"),
    "not yet": Look("✗", "Not yet", "bad"),
    "stopped": Look("!", "Stopped with an error", "bad"),
    "pending": Look("…", "Waiting for a person", "wait"),
    "not attempted": Look("○", "Not attempted", "none"),
    "not graded": Look("!", "Not graded", "bad"),
    "not handed in": Look("○", "Not handed in", "none"),
}
