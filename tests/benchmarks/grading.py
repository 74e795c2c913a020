"""Compare with nbgrader: submissions per second, and results on the corpus.

python -m tests.benchmarks.grading throughput --submissions 24 --theirs 4
python -m tests.benchmarks.grading corpus --out table.json

`throughput` grades the same notebooks with `workbook grade` and with nbgrader, each on all cores
(nbgrader as one process per core, since it cannot grade in parallel), including start-up. `corpus`
runs nbgrader's autograder over the corpus, each case in a separate sandbox, and counts the cases in
which every exercise received the expected points.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from helpers.grading import run
from tests.grading import cases, course, pages

_TESTS = {
    "1.5": (
        "x = np.random.normal(size=7)\nassert np.allclose(step(x), x > 0)\n"
        "assert np.allclose(sigmoid(x), 1 / (1 + np.exp(-x)), rtol=1e-4)"
    ),
    "1.7": (
        "y, t = np.random.normal(size=5), np.random.normal(size=5)\n"
        "assert np.isclose(mean_squared_error(y, t), np.mean((y - t) ** 2))\n"
        "try:\n    mean_squared_error(y, t[:2])\n    raise AssertionError('no ValueError')\n"
        "except ValueError:\n    pass"
    ),
    "1.8": (
        "assert isinstance(sweep, dict) and len(sweep) >= 3\n"
        "assert all(isinstance(v, float) for v in sweep.values())"
    ),
    "1.9": "f = Square()\nassert f.forward(3.0) == 9\nassert f.backward(1.0) == 6",
    "1.10": (
        "t = np.random.normal(size=3)\nw = np.zeros(3)\n"
        "assert np.allclose(descend(lambda w: 2 * (w - t), w, 0.1, 100), t, atol=1e-3)\n"
        "assert (w == 0).all()"
    ),
    "1.3": "assert choice_1_3.strip().lower() == 'b'",
    "2.3": (
        "x = np.random.normal(size=(2, 3)).astype('float32')\n"
        "assert np.allclose(prelu_gradient(x, 0.1), np.where(x > 0, 1.0, 0.1))"
    ),
    "2.17": (
        "model = build_model(4)\nx = np.random.normal(size=(3, 5)).astype('float32')\n"
        "w1, b1, w2, b2 = model.get_weights()\n"
        "assert np.allclose(model(x), np.maximum(x @ w1 + b1, 0) @ w2 + b2, atol=1e-4)\n"
        "model.set_weights([np.zeros_like(w) for w in model.get_weights()])\n"
        "assert np.allclose(model(x), 0)"
    ),
}
_NAME = {"perceptrons": "01_perceptrons", "multilayer_perceptrons": "02_multilayer_perceptrons"}


def instructors(page: list[dict]) -> dict:
    """Return an instructor's notebook for nbgrader: asserts instead of checks, answers marked."""
    for cell in page:
        id = cell["source"].split('"')[1] if cell["source"].startswith("check(") else None
        if id in _TESTS:
            cell["source"] = _TESTS[id]
        elif cell["metadata"].get("nbgrader", {}).get("solution") and cell["cell_type"] == "code":
            cell["source"] = f"### BEGIN SOLUTION\n{cell['source']}\n### END SOLUTION"
    return pages.notebook(page)


def course_for_nbgrader(folder: Path, chapter: str, page: list[dict], cell_seconds: int = 10):
    """Return nbgrader's API over a new course with one assignment generated."""
    name = _NAME[chapter]
    api = nbgrader_api(folder, cell_seconds)
    source = folder / "source" / name / f"{name}.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text(json.dumps(instructors(page)))
    with quiet():
        made = api.generate_assignment(name, force=True, create=True)
    if not made["success"]:
        raise RuntimeError(made.get("log") or made.get("error"))
    return api


def nbgrader_api(folder: Path, cell_seconds: int):
    """Return nbgrader's API over a course folder."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    config = Config()
    config.CourseDirectory.root = str(folder)
    config.CourseDirectory.course_id = "course"
    config.ExecutePreprocessor.timeout = cell_seconds
    return NbGraderAPI(config=config)


@contextlib.contextmanager
def quiet():
    """Hide nbgrader's output."""
    import logging

    logging.disable(logging.CRITICAL)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
    logging.disable(logging.NOTSET)


def hand_in(folder: Path, chapter: str, student: str, content: bytes) -> None:
    """Write a submission to where nbgrader looks for it."""
    name = _NAME[chapter]
    path = folder / "submitted" / student / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def nbgrader_scores(api, chapter: str, student: str) -> dict[str, float]:
    """Autograde one submission and return the score of each test cell."""
    name = _NAME[chapter]
    with quiet():
        api.autograde(name, student, force=True, create=True)
    with api.gradebook as gradebook:
        submission = gradebook.find_submission(name, student)
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        return {grade.name: grade.auto_score for grade in grades}


def throughput(ours: int, theirs: int) -> dict:
    """Time both graders on the same TensorFlow and NumPy notebooks, in submissions per second."""
    found = {"cores": len(os.sched_getaffinity(0))}
    kinds = (
        ("tensorflow", "multilayer_perceptrons", pages.tensorflow_cells),
        ("numpy", "perceptrons", pages.cells),
    )
    for kind, chapter, page in kinds:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            for number in range(ours):
                path = folder / "in" / f"student {number}" / f"{_NAME[chapter]}.ipynb"
                path.parent.mkdir(parents=True)
                path.write_bytes(pages.dump(page()))
            began = time.perf_counter()
            made = run.grade(
                folder / "in", folder / "out", run.Settings(course="tests.grading.course")
            )
            spent = time.perf_counter() - began
            wanted = sum(course.points_of(chapter).values())
            assert all(made.totals(student)["points"] == wanted for student in made.students)
            began = time.perf_counter()
            command = [sys.executable, "-m", "tests.benchmarks.grading", "nbgrader", "--chapter"]
            command += [chapter, "--submissions", str(theirs)]
            lanes = [
                subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(found["cores"])
            ]
            assert not any(lane.wait() for lane in lanes)
            their_spent = time.perf_counter() - began
        found[kind] = {
            "ours": {"submissions": ours, "seconds": round(spent, 1)},
            "nbgrader": {
                "submissions": theirs * found["cores"],
                "seconds": round(their_spent, 1),
            },
            "ratio": round((ours / spent) / (theirs * found["cores"] / their_spent), 1),
        }
    return found


def grade_with_nbgrader(chapter: str, count: int) -> None:
    """Autograde `count` correct submissions, one after the other."""
    page = pages.cells if chapter == "perceptrons" else pages.tensorflow_cells
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        api = course_for_nbgrader(folder, chapter, page(), cell_seconds=120)
        for number in range(count):
            hand_in(folder, chapter, f"s{number}", pages.dump(page()))
        for number in range(count):
            scores = nbgrader_scores(api, chapter, f"s{number}")
            wanted = sum(course.points_of(chapter).values())
            assert sum(s or 0 for s in scores.values()) == wanted, scores


def nbgrader_on_case(case: cases.Case, course_folder: Path) -> dict:
    """Return whether nbgrader gives every expected score in one case."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "course"
        shutil.copytree(course_folder, folder)
        api = nbgrader_api(folder, cell_seconds=5)
        hand_in(folder, "perceptrons", "s", case.content)
        began = time.perf_counter()
        try:
            scores = nbgrader_scores(api, "perceptrons", "s")
        except BaseException as error:
            return {"right": False, "said": f"{type(error).__name__}: {error}"[:200]}
        spent = time.perf_counter() - began
    wrong = {}
    for id, points in course.points_of("perceptrons").items():
        due = case.points.get(id, points)
        got = scores.get(f"check-{id.replace('.', '-')}")
        if due is not cases.ANY and (got or 0.0) != due:
            wrong[id] = [got, due]
    fine = not wrong and not case.reason
    return {"right": fine, "wrong": wrong, "seconds": round(spent, 1)}


def serve_cases(folder: Path, names: list[str]) -> None:
    """Grade cases with nbgrader, each in a fork of this process; print a line before and after."""
    Path("/tmp/grades.csv").write_text("marks")
    known = {case.name: case for case in cases.all_cases(_world(folder))}
    made = Path("/tmp/course")
    course_for_nbgrader(made, "perceptrons", pages.cells())
    for name in names:
        print(json.dumps({"begins": name}), flush=True)
        child = os.fork()
        if child == 0:
            result = nbgrader_on_case(known[name], made)
            print(json.dumps({"name": name, **result}), flush=True)
            os._exit(0)
        ends = time.monotonic() + 150
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > ends:
                os.kill(child, 9)
                os.waitpid(child, 0)
                break
            time.sleep(0.05)


def corpus_table(out: Path, seconds: float, only: str) -> None:
    """Run nbgrader over the corpus in two sandboxed lanes; continue an interrupted run."""
    done = json.loads(out.read_text()) if out.exists() else {}
    ends = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        (folder / "canary_solution.py").write_text("def step(x):\n    return (x > 0) * 1.0\n")
        kinds = {case.name: case.kind for case in cases.all_cases(_world(folder))}
        alone = {case.name for case in cases.all_cases(_world(folder)) if case.walls}
        waiting = [name for name in kinds if name not in done and kinds[name] in only]
        waiting.sort(key=lambda name: name in alone)
        lanes = [threading.Thread(target=_lane, args=(folder, waiting[k::2], alone, done, ends))
                 for k in range(2)]  # fmt: skip
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
    for name, result in done.items():
        result["kind"] = kinds[name]
    out.write_text(json.dumps(done, indent=1))
    for kind in ("hostile", "broken", "honest"):
        own = [result for result in done.values() if result["kind"] == kind]
        print(kind, sum(result["right"] for result in own), "of", len(own))
    print("left:", len(kinds) - len(done))


def _lane(folder: Path, names: list[str], alone: set[str], done: dict, ends: float) -> None:
    """Grade cases one after the other; those that may break their sandbox get a separate one."""
    while names and time.monotonic() < ends:
        batch = list(itertools.takewhile(lambda name: name not in alone, names)) or names[:1]
        process = subprocess.Popen(
            _walled(folder, batch), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                if isinstance(told, dict) and "begins" in told:
                    current = told["begins"]
                    names.remove(current)
                    done[current] = {"right": False, "said": "no result"}
                elif isinstance(told, dict) and "name" in told:
                    done[told.pop("name")] = told
                    if time.monotonic() > ends:
                        break
        process.kill()
        process.wait()


def _world(folder: Path) -> cases.World:
    return cases.World(str(folder / "canary_solution.py"), "/tmp/grades.csv", 9, "WORKBOOK_SECRET")


def _walled(folder: Path, names: list[str]) -> list[str]:
    """Return a command that serves cases in a sandbox, since nbgrader does not isolate them."""
    view = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev"]
    view += ["--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/dev/shm"]
    view += ["--cap-drop", "ALL", "--uid", "65534", "--gid", "65534"]
    view += ["--ro-bind", str(folder), str(folder), "--setenv", "HOME", "/tmp"]
    view += ["--setenv", "WORKBOOK_SECRET", "x"]
    limits = ["prlimit", "--as=8000000000", "--nproc=2000"]
    python = [sys.executable, "-m", "tests.benchmarks.grading", "serve", "--out", str(folder)]
    return [*limits, *view, *python, "--name", json.dumps(names)]


def main() -> None:
    """Run one of the two parts; see the docstring of the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("throughput", "corpus", "nbgrader", "serve"))
    parser.add_argument("--submissions", type=int, default=24)
    parser.add_argument("--theirs", type=int, default=4, help="nbgrader's submissions a core")
    parser.add_argument("--chapter", default="perceptrons")
    parser.add_argument("--name", default="")
    parser.add_argument("--out", type=Path, default=Path("corpus-table.json"))
    parser.add_argument("--kinds", default="hostile,broken,honest")
    parser.add_argument("--seconds", type=float, default=3600.0)
    options = parser.parse_args()
    if options.part == "throughput":
        print(json.dumps(throughput(options.submissions, options.theirs), indent=1))
    elif options.part == "nbgrader":
        grade_with_nbgrader(options.chapter, options.submissions)
    elif options.part == "corpus":
        corpus_table(options.out, options.seconds, options.kinds)
    else:
        serve_cases(options.out, json.loads(options.name))


if __name__ == "__main__":
    main()
