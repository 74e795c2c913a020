"""A class of students with typical names: two thirds honest, a third hostile or broken."""

from __future__ import annotations

import json
from pathlib import Path

from tests.grading import cases, pages

NAMES = (
    "Kim Minsu", "Lee Jiwoo", "Park Seo-yeon", "José Álvarez", "Zoë", "O'Brien", "=1+1", "@all",
    "<script>alert(1)</script>", "anna", "Anna", "+SUM(A1)", "김하늘", "de la Cruz, Ana", "../up",
)  # fmt: skip


def write_class(folder: Path, size: int, world: cases.World, walls: bool = True) -> dict[str, str]:
    """Write a folder of `size` students as Moodle does; return what each handed in.

    The kinds are keyed by Moodle's number.

    Every third submission is hostile or broken; the others are honest in unusual forms.
    """
    listed = [case for case in cases.all_cases(world) if walls or not case.walls]
    bad = [case for case in listed if case.kind != "honest"]
    good = [case for case in listed if case.kind == "honest"]
    kinds = {}
    for number in range(size):
        pool = bad if number % 3 == 2 else good
        case = pool[(number * 7919) % len(pool)]
        name = NAMES[number] if number < len(NAMES) else f"Student {number}"
        safe = name.replace("/", "_")
        place = folder / f"{safe}_{1000 + number}_assignsubmission_file_"
        place.mkdir(parents=True)
        (place / case.file).write_bytes(case.content)
        kinds[str(1000 + number)] = case.kind
    return kinds


def right_notebook(path: Path, **answers: str | None) -> None:
    """Write a correct notebook to `path`, with some answers replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    changed = {id.lstrip("_").replace("_", "."): s for id, s in answers.items()}
    path.write_text(json.dumps(pages.notebook(pages.cells(changed))), encoding="utf-8")
