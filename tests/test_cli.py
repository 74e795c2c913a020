"""The commands report what they did, or say in one sentence why they cannot."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import absl.logging
import pytest

from helpers import cli
from helpers.authoring import ROOT


def _fresh_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_import_helpers_loads_neither_tensorflow_nor_numpy():
    done = _fresh_python(
        "import sys, helpers; print([m for m in ('tensorflow', 'keras', 'numpy', 'pandas', "
        "'matplotlib') if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]"


def test_import_grading_is_not_reached_from_a_students_modules():
    done = _fresh_python(
        "import sys\nfrom helpers import check, data, hint, models, plotting, progress, training\n"
        "import helpers.exercises.ch01_perceptrons\n"
        "print([m for m in sys.modules if m.startswith('helpers.grading')])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_import_training_writes_no_log_line():
    done = _fresh_python(
        "from helpers import training, models\nimport tensorflow as tf\n"
        "tf.function(lambda x: x + 1, jit_compile=True)(tf.ones(2))"
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_doctor_fits_one_screen_and_names_versions_device_and_data(capsys):
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in ("Python", "tensorflow", "keras", "device", "Fashion-MNIST", "house"):
        assert word.lower() in out.lower(), word
    assert len(out.splitlines()) <= 24


def test_notebooks_unknown_page_is_one_sentence(capsys):
    assert cli.main(["notebooks", "99"]) == 2
    error = capsys.readouterr().err
    assert "No page of solutions/ starts with '99'" in error and "Traceback" not in error


def test_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--wings"])
    assert "has no argument --wings" in capsys.readouterr().err


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Return what `workbook lab` would start, with a clone of two pages in a separate folder."""
    called = {}

    def become(program, command, environment):
        called.update(command=command, env=environment)

    monkeypatch.setattr(cli, "_root", lambda: tmp_path)
    (tmp_path / "chapters").mkdir()
    for name in ("00_index", "01_perceptrons"):
        shutil.copy(ROOT / "chapters" / f"{name}.ipynb", tmp_path / "chapters")
    monkeypatch.setattr(cli.os, "execve", become)
    monkeypatch.setattr(cli.subprocess, "call", lambda command, env: become(None, command, env))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/elsewhere")
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    monkeypatch.delenv("WORKBOOK_PAGES", raising=False)
    # Jupyter's logging closes all handlers. TensorFlow's also closes its stream, pytest's own.
    monkeypatch.setattr(absl.logging.PythonHandler, "close", logging.Handler.close)
    return called


def test_lab_opens_the_students_copy_quietly_without_authors_buttons(started, tmp_path, capsys):
    assert cli.main(["lab", "--no-browser"]) == 0
    assert started["command"][-1] == "--no-browser"
    assert f"--ServerApp.root_dir={tmp_path / 'work'}" in started["command"]
    assert "--Application.log_level=ERROR" in started["command"]
    assert len(started["env"]["JUPYTER_TOKEN"]) > 30
    folder, rest = started["env"]["JUPYTER_CONFIG_PATH"].split(os.pathsep, 1)
    assert rest == "/elsewhere"
    disabled = json.loads(Path(folder, "labconfig", "page_config.json").read_text())
    assert disabled["disabledExtensions"] == {
        "jupyterlab-jupytext": True,
        "@jupyter/nbgrader": True,
    }
    assert "Created your copy of 2 pages in work/." in capsys.readouterr().out
    cli.main(["lab"])
    assert "work" not in capsys.readouterr().out


def test_lab_verbose_and_author_show_more(started, tmp_path):
    cli.main(["lab", "--verbose"])
    assert "--Application.log_level=ERROR" not in started["command"]
    cli.main(["lab", "--author"])
    assert started["env"]["JUPYTER_CONFIG_PATH"] == "/elsewhere"
    assert f"--ServerApp.root_dir={tmp_path / 'chapters'}" in started["command"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no root")
@pytest.mark.parametrize("uid", [0, 1000])
def test_lab_as_root_starts_with_a_word_about_it(started, monkeypatch, capsys, uid):
    monkeypatch.setattr(cli.os, "geteuid", lambda: uid)
    cli.main(["lab"])
    assert ("--allow-root" in started["command"]) is (uid == 0)
    assert ("You are root" in capsys.readouterr().out) is (uid == 0)


def test_lab_without_room_for_an_update_opens_the_pages_as_they_are(started, monkeypatch, capsys):
    cli.main(["lab"])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("helpers.lab.students_copy.bring_up_to_date", full)
    started.clear()
    assert cli.main(["lab"]) == 0
    assert started and "No space left on device" in capsys.readouterr().out


def test_lab_in_a_folder_that_cannot_be_written_is_one_sentence(started, monkeypatch, capsys):
    def read_only(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("helpers.lab.students_copy.bring_up_to_date", read_only)
    assert cli.main(["lab"]) == 2
    error = capsys.readouterr().err
    assert "Read-only file system" in error and "Traceback" not in error
    assert "WORKBOOK_PAGES" in error


def test_lab_keeps_the_copy_in_the_folder_that_is_named(started, tmp_path, monkeypatch, capsys):
    """Many students can use one read-only clone, each with pages in their home folder."""
    monkeypatch.setenv("WORKBOOK_PAGES", str(tmp_path / "my pages"))
    assert cli.main(["lab"]) == 0
    assert f"--ServerApp.root_dir={tmp_path / 'my pages'}" in started["command"]
    assert "Created your copy of 2 pages in my pages/." in capsys.readouterr().out
    assert not (tmp_path / "work").exists()


def test_update_says_where_the_pages_are(started, tmp_path, capsys):
    assert cli.main(["update"]) == 0
    assert f"Your pages are in {tmp_path / 'work'}." in capsys.readouterr().out


def test_lab_serves_the_copy_quietly_without_authors_extensions(tmp_path):
    """Start the real JupyterLab and read what it sends to the browser and the terminal."""
    import re
    import urllib.request

    log = tmp_path / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "helpers", "lab", "--no-browser", "--port=0"]
            + ["--ServerApp.port_retries=0"],
            stdout=output,
            stderr=output,
            env={
                **os.environ,
                "JUPYTER_TOKEN": "secret",
                "WORKBOOK_PAGES": str(tmp_path / "work"),
            },
        )
    try:
        address = None
        for _ in range(720):
            if found := re.search(
                r"http://localhost:(\d+)/lab/tree/00_index\.ipynb\?token=", log.read_text()
            ):
                address = f"http://localhost:{found[1]}"
                break
            time.sleep(0.25)
        assert address, log.read_text()

        def get(path):
            return urllib.request.urlopen(f"{address}/{path}?token=secret", timeout=30).read()

        page = get("lab").decode()
        config = json.loads(
            re.search(r'id="jupyter-config-data"[^>]*>\s*(\{.*?\})\s*<', page, re.S)[1]
        )
        assert config["disabledExtensions"] and "jupytext" in str(config["disabledExtensions"])
        listed = [entry["name"] for entry in json.loads(get("api/contents"))["content"]]
        assert "01_perceptrons.ipynb" in listed and "glossary.md" in listed
        kernel = urllib.request.Request(
            f"{address}/api/kernels?token=secret", data=b"{}", method="POST"
        )
        urllib.request.urlopen(kernel, timeout=30).read()
        get("api/contents/01_perceptrons.ipynb")
        time.sleep(3)
        assert not [name for name in listed if name.endswith(".py")]
        settings = json.loads(get("lab/api/settings/@jupyterlab/apputils-extension:notification"))
        assert (
            settings["settings"].get(
                "fetchNews", settings["schema"]["properties"]["fetchNews"]["default"]
            )
            == "false"
        )
        said = log.read_text().splitlines()
        assert len([line for line in said if line]) <= 4, said
    finally:
        server.terminate()
        server.wait(timeout=90)
