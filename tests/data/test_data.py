"""The loaders: every source, every kind of bad input, and the properties of the stand-ins."""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import http.server
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import data
from helpers.data import download, synthetic

CARDS = Path(__file__).parents[2] / "datasets"
ORIGINS = {"FASHION_MNIST": "fashion-mnist", "MNIST": "mnist", "HOUSE_PRICES": "house-prices"}
HOUSES = tuple(data.HOUSE_PRICES.files)


@pytest.fixture(scope="session")
def made() -> dict[str, list[bytes]]:
    """Return the files of each stand-in, generated once."""
    return {folder: synthetic.make(folder) for folder in ORIGINS.values()}


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Set up an empty cache, no WORKBOOK_DATA, and unreachable mirrors."""
    for name in ("WORKBOOK_DATA", "WORKBOOK_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "_no_network", threading.Event())
    data._load_images_once.cache_clear()
    for name in ORIGINS:
        nowhere = dataclasses.replace(getattr(data, name), mirrors=("http://127.0.0.1:9/",))
        monkeypatch.setattr(data, name, nowhere)
    monkeypatch.setattr(data, "_ORIGINS", tuple(getattr(data, name) for name in ORIGINS))
    return tmp_path / "cache"


@pytest.fixture
def serve(tmp_path):
    """Return a function that serves files by name and returns the address of the mirror."""
    servers = []

    def start(files: dict[str, bytes]) -> str:
        folder = tmp_path / f"mirror-{len(servers)}"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        handler = functools.partial(_QuietHandler, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def houses(made) -> dict[str, bytes]:
    return dict(zip(HOUSES, made["house-prices"], strict=True))


def use(monkeypatch, files: dict[str, bytes], *mirrors: str) -> None:
    """Use these files as the real files of the house prices, on these mirrors."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    origin = dataclasses.replace(data.HOUSE_PRICES, mirrors=mirrors, files=hashes)
    monkeypatch.setattr(data, "HOUSE_PRICES", origin)
    monkeypatch.setattr(data, "_ORIGINS", (origin,))


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_load_without_network_uses_the_stand_in_and_says_so(cache, capsys):
    houses = data.load_house_prices()
    assert houses.source == "stand-in" and "stand-in" in str(houses)
    assert capsys.readouterr().out == (
        "House prices in Ames: no network, so the offline stand-in is used.\n"
    )
    assert files_in(cache) == {f"house-prices-{synthetic.VERSION}.zip"}


def test_load_without_network_does_not_ask_again(cache, monkeypatch):
    data.load_house_prices()
    monkeypatch.setattr(download.requests, "head", lambda *a, **k: pytest.fail("asked again"))
    assert data.load_house_prices().source == "stand-in"
    assert {row.source for row in data.status()} == {"offline stand-in"}


def test_load_on_a_silent_network_waits_seconds(cache, monkeypatch):
    monkeypatch.setattr(download, "_PROBE_SECONDS", 0.2)
    monkeypatch.setattr(download.requests, "head", lambda *a, **k: time.sleep(30))
    start = time.monotonic()
    assert data.load_house_prices().source == "stand-in"
    assert time.monotonic() - start < 10


def test_load_offline_leaves_the_network_alone(cache, monkeypatch, capsys):
    monkeypatch.setenv("WORKBOOK_OFFLINE", "1")
    monkeypatch.setattr(download.requests, "head", lambda *a, **k: pytest.fail("asked the network"))
    assert data.load_house_prices().source == "stand-in"
    assert "WORKBOOK_OFFLINE=1 is set" in capsys.readouterr().out
    assert "WORKBOOK_OFFLINE" in data.status()[-1].advice


def test_stand_in_damaged_in_the_cache_is_made_again(cache):
    first = data.load_house_prices()
    path = next(cache.rglob("*.zip"))
    path.write_bytes(path.read_bytes()[:5000])
    pd.testing.assert_frame_equal(data.load_house_prices().train, first.train)
    assert path.stat().st_size > 5000


def test_download_is_verified_and_cached(cache, monkeypatch, serve, houses, capsys):
    use(monkeypatch, houses, serve(houses))
    assert data.status()[0].source.startswith("download on first use")
    loaded = data.load_house_prices()
    assert loaded.source == "real" and loaded.train.shape == (1460, 81)
    assert capsys.readouterr().out == ""
    assert files_in(cache) == set(HOUSES)
    monkeypatch.setattr(download.requests, "head", lambda *a, **k: pytest.fail("asked the network"))
    assert data.load_house_prices().source == "real"
    assert data.status()[0].source == "cache"


def test_download_with_an_altered_mirror_takes_the_next(cache, monkeypatch, serve, houses):
    altered = {name: content[:-100] for name, content in houses.items()}
    use(monkeypatch, houses, serve(altered), serve({}), serve(houses))
    assert data.load_house_prices().source == "real"
    assert files_in(cache) == set(HOUSES)


def test_download_truncated_everywhere_uses_the_stand_in(cache, monkeypatch, serve, houses, capsys):
    use(monkeypatch, houses, serve({name: content[:999] for name, content in houses.items()}))
    assert data.load_house_prices().source == "stand-in"
    assert "truncated or altered" in capsys.readouterr().out
    assert not (cache / "house-prices").exists() or not files_in(cache / "house-prices")


def test_cached_file_that_was_altered_is_downloaded_again(cache, monkeypatch, serve, houses):
    use(monkeypatch, houses, serve(houses))
    data.load_house_prices()
    path = cache / "house-prices" / HOUSES[0]
    path.write_bytes(path.read_bytes() + b"1")
    assert data.load_house_prices().source == "real"
    assert path.read_bytes() == houses[HOUSES[0]]


def test_cache_that_cannot_be_written_is_one_sentence(cache, monkeypatch, serve, houses, tmp_path):
    use(monkeypatch, houses, serve(houses))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(data.DataError, match=r"cannot be written.*set WORKBOOK_CACHE"):
        data.load_house_prices()


def test_cache_that_is_full_is_one_sentence_and_leaves_nothing(cache, monkeypatch, serve, houses):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    use(monkeypatch, houses, serve(houses))
    monkeypatch.setattr(download.os, "replace", full)
    with pytest.raises(data.DataError, match="No space left on device"):
        data.load_house_prices()
    assert files_in(cache) == set()


def test_stand_in_that_cannot_be_kept_is_still_used(cache, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBOOK_CACHE", str(tmp_path / "file"))
    assert data.load_house_prices().source == "stand-in"
    assert "cannot be written" in capsys.readouterr().out


def test_eight_processes_at_once_all_load_the_same(cache, serve, houses):
    address = serve(houses)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in houses.items()}
    program = textwrap.dedent(f"""
        import dataclasses, hashlib
        from helpers import data
        from helpers.data import download
        origin = dataclasses.replace(
            data.HOUSE_PRICES, mirrors=({address!r},), files={hashes!r})
        contents, source = download.contents_of(origin)
        print(source, hashlib.sha256(b"".join(contents.values())).hexdigest())
    """)
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    outputs = {process.communicate(timeout=100)[0] for process in processes}
    assert outputs == {"real " + hashlib.sha256(b"".join(houses.values())).hexdigest() + "\n"}
    assert files_in(cache) == set(HOUSES)


@pytest.fixture
def folder(cache, monkeypatch, houses, tmp_path) -> Path:
    """Return a folder for WORKBOOK_DATA with both tables."""
    use(monkeypatch, houses)
    place = tmp_path / "own" / "house-prices"
    place.mkdir(parents=True)
    for name, content in houses.items():
        (place / name).write_bytes(content)
    monkeypatch.setenv("WORKBOOK_DATA", str(tmp_path / "own"))
    return place


def test_workbook_data_is_used_and_named(folder, cache):
    assert data.load_house_prices().source == "real"
    assert data.status() == [data.Status("House prices in Ames", "WORKBOOK_DATA", True, "")]
    assert not cache.exists()


def test_workbook_data_with_a_missing_folder_is_one_sentence(folder, monkeypatch):
    monkeypatch.setenv("WORKBOOK_DATA", "/no/such/folder")
    with pytest.raises(data.DataError, match="WORKBOOK_DATA names /no/such/folder, which is not"):
        data.load_house_prices()
    row = data.status()[0]
    assert not row.ok and "/no/such/folder" in row.advice


def test_workbook_data_with_a_missing_file_is_one_sentence(folder):
    (folder / HOUSES[1]).unlink()
    with pytest.raises(data.DataError, match=f"{HOUSES[1]} cannot be read .No such file"):
        data.load_house_prices()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content[: len(content) // 2], "has 7.. rows of 1460"),
        (lambda content: content.replace(b"SalePrice", b"Price", 1), "lacks the column SalePrice"),
        (lambda content: content.replace(b",RL,", b",RM,", 1), "truncated or altered"),
        (lambda content: b"", "lacks the columns Id, MSSubClass"),
        (lambda content: b"\xff\xfe\x00" * 9, "lacks the columns Id"),
    ],
)
def test_workbook_data_with_an_altered_table_says_how(folder, change, words):
    path = folder / HOUSES[0]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(data.DataError, match=words) as caught:
        data.load_house_prices()
    assert isinstance(caught.value, OSError) and isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value) and caught.value.__cause__ is None


def test_house_prices_are_new_at_each_call(cache):
    train = data.load_house_prices().train
    train["SalePrice"] = 0
    assert data.load_house_prices().train["SalePrice"].min() > 0


@pytest.mark.parametrize(("load", "folder_name"), [("load_fashion_mnist", "fashion-mnist")])
def test_images_are_shared_and_read_only(cache, monkeypatch, made, load, folder_name):
    monkeypatch.setattr(synthetic, "make", made.__getitem__)
    images = getattr(data, load)()
    assert images.train_images.shape == (60000, 28, 28) and images.train_images.dtype == np.uint8
    assert images.test_labels.shape == (10000,) and images.test_labels.dtype == np.int64
    assert getattr(data, load)().train_images is images.train_images
    for array in (images.train_images, images.train_labels, images.test_images):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert images.class_names[9] == "Ankle boot" and images.name == "Fashion-MNIST"


def test_cards_name_the_hashes_that_are_verified():
    for name, folder_name in ORIGINS.items():
        card = (CARDS / f"{folder_name}.md").read_text()
        for file, sha256 in getattr(data, name).files.items():
            assert f"| `{file}` | `{sha256}` |" in card


@pytest.mark.parametrize("folder_name", ORIGINS.values())
def test_stand_ins_have_the_hashes_of_their_cards(made, folder_name):
    stand_in = (CARDS / f"{folder_name}.md").read_text().partition("## The stand-in")[2]
    hashes = re.findall(r"`([0-9a-f]{64})`", stand_in)
    assert [hashlib.sha256(content).hexdigest() for content in made[folder_name]] == hashes


@pytest.mark.parametrize(
    ("folder_name", "sizes"),
    [("fashion-mnist", (6000,) * 10), ("mnist", (5923, 6742, 5958, 6131, 5842, 5421, 5918))],
)
def test_image_stand_ins_have_the_classes_of_the_real_sets(made, folder_name, sizes):
    images, labels, test_images, test_labels = map(data._read_idx, made[folder_name])
    assert images.shape == (60000, 28, 28) and test_images.shape == (10000, 28, 28)
    assert tuple(np.bincount(labels)[: len(sizes)]) == sizes
    assert len(np.bincount(test_labels)) == 10
    assert len(np.unique(images.reshape(60000, -1)[:2000], axis=0)) == 2000
    assert len(set(labels[:50])) > 5  # in random order


def test_clothing_is_too_hard_for_class_means(made):
    images, labels, test_images, test_labels = map(data._read_idx, made["fashion-mnist"])
    flat, test_flat = (a.reshape(len(a), -1) / 255.0 for a in (images[:5000], test_images[:2000]))
    means = np.stack([flat[labels[:5000] == k].mean(axis=0) for k in range(10)])
    distance = (means**2).sum(axis=1) - 2 * test_flat @ means.T
    accuracy = (distance.argmin(axis=1) == test_labels[:2000]).mean()
    assert 0.55 < accuracy < 0.8


@pytest.fixture(scope="session")
def tables(made) -> tuple[pd.DataFrame, pd.DataFrame]:
    return tuple(map(data._read_csv, made["house-prices"]))


def recipe(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """d2l 5.7: standardise the numbers over both tables, fill with 0, one-hot the rest."""
    features = pd.concat([train.drop(columns=["Id", "SalePrice"]), test.drop(columns="Id")])
    numbers = features.select_dtypes("number").columns
    features[numbers] = (features[numbers] - features[numbers].mean()) / features[numbers].std()
    features[numbers] = features[numbers].fillna(0)
    return pd.get_dummies(features, dummy_na=True)


def test_house_stand_in_gives_330_columns(tables):
    train, test = tables
    assert train.shape == (1460, 81) and test.shape == (1459, 80)
    assert tuple(train.columns) == synthetic.HOUSE_COLUMNS
    assert recipe(train, test).shape == (2919, 330)
    assert recipe(train, train.drop(columns="SalePrice")).shape[1] == 330


def test_house_stand_in_features_fit_together(tables):
    for table in tables:
        no_garage = table["GarageType"].isna()
        assert no_garage.mean() > 0.03
        assert (
            table.loc[no_garage, ["GarageYrBlt", "GarageFinish", "GarageCond"]]
            .isna()
            .all(axis=None)
        )
        assert (table.loc[no_garage, ["GarageCars", "GarageArea"]].fillna(0) == 0).all(axis=None)
        no_basement = table["TotalBsmtSF"] == 0
        assert (
            table.loc[no_basement, ["BsmtQual", "BsmtCond", "BsmtFinType1"]].isna().all(axis=None)
        )
        assert (table["PoolQC"].isna() == (table["PoolArea"] == 0)).all()
        assert (table["FireplaceQu"].isna() == (table["Fireplaces"] == 0)).all()
        parts = table[["BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF"]].sum(axis=1)
        assert (parts == table["TotalBsmtSF"].fillna(0)).all()
        floors = table[["1stFlrSF", "2ndFlrSF", "LowQualFinSF"]].sum(axis=1)
        assert (floors == table["GrLivArea"]).all()
        assert (table["YearRemodAdd"] <= table["YrSold"]).all()
        assert (table["YearBuilt"] <= table["YrSold"]).all()
        assert 200 < table["LotFrontage"].isna().sum() < 300


def test_house_stand_in_prices_depend_on_the_features(tables):
    train, test = tables
    features = recipe(train, test).to_numpy(dtype=float)[:1460]
    target = np.log(train["SalePrice"].to_numpy())
    fitted, held_out = slice(0, 1100), slice(1100, None)
    centre = target[fitted].mean()
    gram = features[fitted].T @ features[fitted] + 10 * np.eye(330)
    weights = np.linalg.solve(gram, features[fitted].T @ (target[fitted] - centre))
    error = features[held_out] @ weights + centre - target[held_out]
    assert 0.10 < np.sqrt((error**2).mean()) < 0.18
    assert target.std() > 0.35 and train["SalePrice"].skew() > 1.2


@pytest.mark.skipif("WORKBOOK_DATA" not in os.environ, reason="needs the real files")
def test_real_files_have_the_published_statistics(monkeypatch):
    fashion, digits, houses = (
        data.load_fashion_mnist(),
        data.load_mnist(),
        data.load_house_prices(),
    )
    assert (fashion.source, digits.source, houses.source) == ("real",) * 3
    assert fashion.train_images.mean() / 255 == pytest.approx(0.2860, abs=1e-4)
    assert digits.train_images.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert recipe(houses.train, houses.test).shape == (2919, 330)
    assert (np.bincount(fashion.train_labels) == 6000).all()
