"""How each outcome of an exercise is displayed: sign, words and style."""

from typing import NamedTuple

from helpers.exercises.points import SHOWN

__all__ = ["LOOKS", "Look"]


class Look(NamedTuple):
    """The sign, the words and the CSS class of an outcome."""

    sign: str
    words: str
    style: str


LOOKS = {
    "correct": Look(*SHOWN["correct"], "good"),
    "marked": Look("✓", "Marked by hand", "good"),
    "not yet": Look(*SHOWN["not yet"], "bad"),
    "stopped": Look(*SHOWN["stopped"], "bad"),
    "pending": Look("…", "Waiting to be marked", "wait"),
    "not attempted": Look(*SHOWN["not attempted"], "none"),
    "not graded": Look("!", "Not graded", "bad"),
    "not handed in": Look("○", "Not handed in", "none"),
}
