"""The commands say what they did, and one sentence where they cannot do it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers import cli


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
    assert "does not know --wings" in capsys.readouterr().err


def test_lab_passes_options_on_and_leaves_authors_buttons_out(monkeypatch):
    called = {}

    def become(program, command, environment):
        called.update(command=command, env=environment)

    monkeypatch.setattr(cli.os, "execve", become)
    monkeypatch.setattr(cli.subprocess, "call", lambda command, env: 0)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/elsewhere")
    assert cli.main(["lab", "--no-browser"]) == 0
    assert called["command"][-1] == "--no-browser"
    folder, rest = called["env"]["JUPYTER_CONFIG_PATH"].split(":", 1)
    assert rest == "/elsewhere"
    disabled = json.loads(Path(folder, "labconfig", "page_config.json").read_text())
    assert disabled["disabledExtensions"] == {
        "jupyterlab-jupytext": True,
        "@jupyter/nbgrader": True,
    }
    cli.main(["lab", "--author"])
    assert called["env"]["JUPYTER_CONFIG_PATH"] == "/elsewhere"


@pytest.mark.slow
def test_lab_serves_the_chapters_without_authors_extensions(tmp_path):
    """Start the real JupyterLab and read what it tells the browser."""
    import re
    import urllib.request

    log = tmp_path / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "helpers", "lab", "--no-browser", "--allow-root", "--port=0"]
            + ["--ServerApp.port_retries=0", "--IdentityProvider.token=secret"],
            stdout=output,
            stderr=output,
        )
    try:
        address = None
        for _ in range(240):
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", log.read_text()):
                address = f"http://127.0.0.1:{found[1]}"
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
        assert "01_perceptrons.ipynb" in listed
        assert not [name for name in listed if name.endswith(".py")]
        settings = json.loads(get("lab/api/settings/@jupyterlab/apputils-extension:notification"))
        assert (
            settings["settings"].get(
                "fetchNews", settings["schema"]["properties"]["fetchNews"]["default"]
            )
            == "false"
        )
    finally:
        server.terminate()
        server.wait(timeout=20)
