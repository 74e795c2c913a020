"""Generate house sales with the columns, categories and missing values of the Ames tables.

Every value is drawn from the tables in this file; no row of the real data is used. The log of the
price is linear in most features, with some products of them, and noise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from helpers.data.synthetic.columns import HOUSE_COLUMNS

__all__ = ["make"]

TRAIN, TEST = 1460, 1459

# name: share (per mille), typical year and its spread, quality, living area, lot, single-family
# share (per cent), extra on the log price (per cent), zone
_NEIGHBORHOODS = {
    "NAmes": (152, 1959, 9, 5.3, 1200, 9500, 91, -2, "RL"),
    "CollgCr": (91, 2002, 9, 6.7, 1500, 9700, 95, 2, "RL"),
    "OldTown": (82, 1920, 20, 5.2, 1370, 7800, 87, -8, "RM"),
    "Edwards": (66, 1954, 24, 5.1, 1200, 9300, 81, -6, "RL"),
    "Somerst": (62, 2006, 3, 7.4, 1550, 8300, 66, 6, "FV"),
    "Gilbert": (57, 2000, 8, 6.5, 1560, 9700, 99, -1, "RL"),
    "NridgHt": (57, 2006, 2, 8.3, 1830, 12000, 72, 12, "RL"),
    "Sawyer": (52, 1965, 12, 5.1, 1050, 9500, 89, -2, "RL"),
    "NWAmes": (45, 1976, 7, 6.3, 1630, 10900, 97, 0, "RL"),
    "SawyerW": (43, 1992, 16, 6.3, 1570, 9400, 80, 0, "RL"),
    "Mitchel": (39, 1980, 13, 5.5, 1280, 10100, 81, -1, "RL"),
    "BrkSide": (37, 1930, 11, 5.1, 1230, 6200, 98, -2, "RM"),
    "Crawfor": (35, 1942, 25, 6.3, 1650, 11300, 84, 14, "RL"),
    "IDOTRR": (32, 1925, 16, 4.7, 1130, 8200, 91, -15, "RM"),
    "Timber": (25, 2000, 14, 7.2, 1650, 11800, 96, 4, "RL"),
    "NoRidge": (24, 1995, 3, 7.9, 2400, 11400, 99, 10, "RL"),
    "StoneBr": (17, 2003, 7, 8.4, 1770, 8100, 55, 16, "RL"),
    "SWISU": (16, 1928, 15, 5.4, 1540, 7100, 79, -3, "RL"),
    "ClearCr": (15, 1967, 17, 6.0, 1690, 15600, 98, 5, "RL"),
    "MeadowV": (13, 1972, 3, 4.4, 1090, 1900, 0, -18, "RM"),
    "BrDale": (10, 1972, 1, 5.7, 1090, 1700, 0, -16, "RM"),
    "Blmngtn": (10, 2005, 2, 7.1, 1450, 3200, 11, 0, "RL"),
    "Veenker": (8, 1979, 8, 7.2, 1700, 14500, 79, 8, "RL"),
    "NPkVill": (8, 1976, 1, 6.3, 1320, 2300, 0, -6, "RL"),
    "Blueste": (3, 1980, 4, 6.6, 1120, 1800, 0, -6, "RM"),
}

# Categories that depend on nothing else, with rough shares per 10,000 rows.
_FREE = {
    "Street": {"Pave": 9960, "Grvl": 40},
    "Alley": {"": 9320, "Grvl": 410, "Pave": 270},
    "LandContour": {"Lvl": 8980, "HLS": 410, "Bnk": 400, "Low": 210},
    "Utilities": {"AllPub": 9990, "NoSeWa": 5},
    "LotConfig": {"Inside": 7300, "Corner": 1750, "CulDSac": 600, "FR2": 290, "FR3": 50},
    "LandSlope": {"Gtl": 9520, "Mod": 430, "Sev": 50},
    "Condition1": {
        "Norm": 8600,
        "Feedr": 560,
        "Artery": 320,
        "RRAn": 170,
        "PosN": 130,
        "RRAe": 100,
        "PosA": 70,
        "RRNn": 30,
        "RRNe": 20,
    },
    "Condition2": {
        "Norm": 9900,
        "Feedr": 45,
        "Artery": 17,
        "PosA": 14,
        "PosN": 13,
        "RRNn": 7,
        "RRAn": 4,
        "RRAe": 4,
    },
    "RoofStyle": {
        "Gable": 7910,
        "Hip": 1890,
        "Gambrel": 75,
        "Flat": 70,
        "Mansard": 38,
        "Shed": 17,
    },
    "RoofMatl": {
        "CompShg": 9850,
        "Tar&Grv": 79,
        "WdShake": 31,
        "WdShngl": 24,
        "Metal": 4,
        "Membran": 4,
        "Roll": 4,
        "ClyTile": 4,
    },
    "Heating": {"GasA": 9840, "GasW": 92, "Grav": 31, "Wall": 21, "OthW": 8, "Floor": 4},
    "Functional": {
        "Typ": 9310,
        "Min2": 240,
        "Min1": 220,
        "Mod": 120,
        "Maj1": 65,
        "Maj2": 31,
        "Sev": 7,
    },
    "Fence": {"": 8045, "MnPrv": 1127, "GdPrv": 404, "GdWo": 384, "MnWw": 40},
    "MiscFeature": {"": 9640, "Shed": 325, "Gar2": 17, "Othr": 14, "TenC": 4},
    "SaleType": {
        "WD": 8650,
        "COD": 298,
        "ConLD": 89,
        "CWD": 41,
        "ConLI": 31,
        "ConLw": 27,
        "Oth": 24,
        "Con": 17,
    },
    "SaleCondition": {"Normal": 8230, "Abnorml": 650, "Family": 158, "Alloca": 82, "AdjLand": 41},
}

_OLD_WALLS = {"Wd Sdng": 37, "MetalSd": 30, "AsbShng": 8, "Stucco": 8, "BrkFace": 5, "WdShing": 5}
_MID_WALLS = {
    "HdBoard": 35,
    "MetalSd": 20,
    "Plywood": 16,
    "Wd Sdng": 13,
    "BrkFace": 8,
    "VinylSd": 8,
}
_NEW_WALLS = {"VinylSd": 76, "CemntBd": 9, "MetalSd": 7, "HdBoard": 4, "Wd Sdng": 3, "WdShing": 1}
_RARE_WALLS = ("BrkComm", "Stone", "AsphShn", "ImStucc", "CBlock")
_SECOND_NAME = {"CemntBd": "CmentBd", "WdShing": "Wd Shng", "BrkComm": "Brk Cmn"}
_RARE_SECOND_WALLS = ("Brk Cmn", "Stone", "AsphShn", "ImStucc", "CBlock", "Other")

_BASEMENT = ("BsmtQual", "BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2")
_GARAGE = ("GarageType", "GarageYrBlt", "GarageFinish", "GarageQual", "GarageCond")

# Values missing at random, as (column, number of training rows, number of test rows).
_LOST = (
    ("Electrical", 1, 0),
    ("MSZoning", 0, 4),
    ("Utilities", 0, 2),
    ("Exterior1st", 0, 1),
    ("Exterior2nd", 0, 1),
    ("KitchenQual", 0, 1),
    ("Functional", 0, 2),
    ("SaleType", 0, 1),
    ("BsmtExposure", 1, 1),
    ("BsmtFinType2", 1, 0),
    ("BsmtFullBath", 0, 1),
    ("BsmtHalfBath", 0, 1),
    ("GarageFinish", 0, 1),
)
_LOST_TOGETHER = (
    (("MasVnrType", "MasVnrArea"), 8, 15),
    (("BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF"), 0, 1),
    (("GarageCars", "GarageArea"), 0, 1),
)


def make() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Generate the training table (1460 x 81) and the test table (1459 x 80).

    Written with `na_rep="NA"`, integers, text and missing values are as in the real CSV files.
    """
    houses = _Houses(np.random.default_rng(2011), TRAIN + TEST)
    frame = pd.DataFrame(houses.columns)
    _lose(houses.random, frame)
    frame = frame[list(HOUSE_COLUMNS)]
    return frame[:TRAIN], frame[TRAIN:].drop(columns="SalePrice")


class _Houses:
    """The columns of the table; each step uses the columns of the steps before it."""

    def __init__(self, random: np.random.Generator, count: int):
        self.random, self.count = random, count
        self.columns: dict[str, np.ndarray] = {"Id": np.arange(1, count + 1)}
        for column, shares in _FREE.items():
            self[column] = self.pick(shares)
        for step in (
            self._place,
            self._building,
            self._walls,
            self._basement,
            self._rooms,
            self._garage,
            self._outside,
            self._sale,
            self._price,
        ):
            step()

    def __getitem__(self, column: str) -> np.ndarray:
        return self.columns[column]

    def __setitem__(self, column: str, values: np.ndarray) -> None:
        if values.dtype.kind == "f":
            values = np.rint(values).astype(np.int64)
        self.columns[column] = values

    def normal(self, spread: float = 1.0) -> np.ndarray:
        return spread * self.random.standard_normal(self.count)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        return low + (high - low) * self.random.random(self.count)

    def chance(self, share: np.ndarray | float) -> np.ndarray:
        """Return True for about this share of the rows."""
        return self.random.random(self.count) < share

    def pick(self, shares: Mapping[str, float]) -> np.ndarray:
        """Draw categories; even a rare one occurs in the training rows."""
        names = np.array(list(shares), dtype=object)
        edges = np.cumsum(list(shares.values()))
        drawn = names[np.searchsorted(edges, self.uniform(0, edges[-1]), side="right")]
        return self.with_all(drawn, names)

    def with_all(self, values: np.ndarray, names, among: np.ndarray | None = None) -> np.ndarray:
        """Put each absent category into one training row, in place of the most common one."""
        allowed = np.arange(self.count) < TRAIN
        if among is not None:
            allowed &= among
        kinds, counts = np.unique(values[allowed], return_counts=True)
        commonest = np.flatnonzero(allowed & (values == kinds[counts.argmax()]))
        absent = [name for name in names if name not in kinds]
        values[self.random.choice(commonest, len(absent), replace=False)] = absent
        return values

    def grade(
        self,
        score: np.ndarray,
        shares: tuple[float, ...],
        among: np.ndarray | None = None,
        names: tuple[str, ...] = ("Po", "Fa", "TA", "Gd", "Ex"),
    ) -> np.ndarray:
        """Convert scores to grades with these shares (per cent); the last is the highest."""
        names = np.array(names[-len(shares) :], dtype=object)
        counted = score if among is None else score[among]
        limits = np.quantile(counted, np.cumsum(shares)[:-1] / sum(shares))
        return self.with_all(names[np.searchsorted(limits, score)], names, among)

    def _place(self) -> None:
        names = self.pick({name: row[0] for name, row in _NEIGHBORHOODS.items()})
        self["Neighborhood"] = names
        table = np.array([_NEIGHBORHOODS[name][1:8] for name in names], dtype=float)
        self.year, self.year_spread, self.level, self.area, self.lot, self.single, self.extra = (
            table.T
        )
        zones = np.array([_NEIGHBORHOODS[name][8] for name in names], dtype=object)
        zones[self.chance(0.02)] = "RM"
        zones[self.chance(0.009)] = "RH"
        zones[self.chance(0.10) & (names == "IDOTRR")] = "C (all)"
        self["MSZoning"] = self.with_all(zones, ("C (all)", "RH"))
        self["YrSold"] = self.random.integers(2006, 2011, self.count)
        months = np.array([4, 5, 8, 10, 14, 17, 16, 8, 6, 6, 5, 4])
        self["MoSold"] = 1 + np.searchsorted(np.cumsum(months), self.uniform(0, 103), "right")
        size = np.exp(self.normal(0.28)) * np.where(self["LotConfig"] == "CulDSac", 1.25, 1)
        size[self.chance(0.006)] *= 6
        self["LotArea"] = np.clip(self.lot * size, 1300, 215000)
        odd = np.clip(0.34 + 0.5 * np.log(self["LotArea"] / 10000), 0.04, 0.9)
        self["LotShape"] = np.where(self.chance(odd), "IR1", "Reg").astype(object)
        self["LotShape"][self.chance(0.08) & (self["LotShape"] == "IR1")] = "IR2"
        self["LotShape"][self.chance(0.006)] = "IR3"

    def _building(self) -> None:
        year = self.year + self.normal() * self.year_spread
        self["YearBuilt"] = np.clip(year, 1872, self["YrSold"]).astype(int)
        built = self["YearBuilt"]
        single = self.chance(self.single / 100)
        kind = np.where(self.chance(0.72), "TwnhsE", "Twnhs").astype(object)
        two = self.chance(np.where(self.single < 50, 0, 0.6))
        kind[two] = np.where(self.chance(0.63), "Duplex", "2fmCon")[two]
        kind[single] = "1Fam"
        self["BldgType"] = kind
        styles = {
            1946: {"1Story": 31, "1.5Fin": 37, "2Story": 25, "2.5Unf": 4, "1.5Unf": 3, "2.5Fin": 2},
            1978: {"1Story": 72, "2Story": 13, "SLvl": 8, "1.5Fin": 4, "SFoyer": 3},
            2011: {"1Story": 47, "2Story": 46, "SLvl": 4, "SFoyer": 3},
        }
        style = np.empty(self.count, dtype=object)
        for last, shares in reversed(styles.items()):
            style[built < last] = self.pick(shares)[built < last]
        large = self.area * np.exp(self.normal(0.1)) > 2000
        style[large & self.chance(0.7)] = "2Story"
        town = np.isin(kind, ("Twnhs", "TwnhsE"))
        tall = town & ~np.isin(style, ("1Story", "SLvl", "SFoyer"))
        style[tall] = "2Story"
        names = ("1Story", "2Story", "1.5Fin", "SLvl", "SFoyer", "1.5Unf", "2.5Unf", "2.5Fin")
        self["HouseStyle"] = self.with_all(style, names, among=kind == "1Fam")
        self["MSSubClass"] = self._subclass()
        quality = self.level + 0.012 * (built - self.year) + self.normal(0.85)
        self["OverallQual"] = np.clip(quality, 1, 10)
        condition = 5.05 + np.where(built < 1985, 0.85, 0) + self.normal(0.5)
        condition += np.where(built < 1985, self.normal(1.1), 0)
        self["OverallCond"] = np.clip(condition, 1, 9)
        remade = self.chance(np.where(built > 1995, 0.25, 0.5))
        start = np.maximum(built, 1950)
        later = start + self.uniform() ** 0.6 * (self["YrSold"] - start)
        self["YearRemodAdd"] = np.where(remade, later, start)
        factor = np.where(np.isin(self["HouseStyle"], ("1Story", "SFoyer", "SLvl")), 0.93, 1.13)
        area = self.area * factor * np.exp(self.normal(0.2) + 0.07 * (quality - self.level))
        self["GrLivArea"] = np.clip(area, 480, 4700)
        upper = {"1.5Fin": 0.38, "2Story": 0.5, "2.5Fin": 0.56, "2.5Unf": 0.46}
        share = np.array([upper.get(name, 0.0) for name in self["HouseStyle"]])
        share = share + np.where(share > 0, self.normal(0.03), 0)
        poor = self.chance(0.014) & (built < 1950)
        self["LowQualFinSF"] = np.where(poor, self["GrLivArea"] * self.uniform(0.04, 0.25), 0)
        self["2ndFlrSF"] = (self["GrLivArea"] - self["LowQualFinSF"]) * share
        self["1stFlrSF"] = self["GrLivArea"] - self["LowQualFinSF"] - self["2ndFlrSF"]

    def _subclass(self) -> np.ndarray:
        style, kind, old = self["HouseStyle"], self["BldgType"], self["YearBuilt"] < 1946
        codes = {"1.5Fin": 50, "1.5Unf": 45, "2.5Fin": 75, "2.5Unf": 75, "SLvl": 80, "SFoyer": 85}
        code = np.array([codes.get(name, 0) for name in style])
        code[style == "1Story"] = np.where(old, 30, 20)[style == "1Story"]
        code[style == "2Story"] = np.where(old, 70, 60)[style == "2Story"]
        code[(code == 30) & self.chance(0.04)] = 40
        town = np.isin(kind, ("Twnhs", "TwnhsE"))
        code[town] = 180
        code[town & (style == "1Story")] = 120
        code[town & (style == "2Story")] = 160
        code[kind == "Duplex"] = 90
        code[kind == "2fmCon"] = 190
        return code

    def _walls(self) -> None:
        built = self["YearBuilt"]
        first = np.empty(self.count, dtype=object)
        for last, shares in ((2011, _NEW_WALLS), (1989, _MID_WALLS), (1950, _OLD_WALLS)):
            first[built < last] = self.pick(shares)[built < last]
        self["Exterior1st"] = self.with_all(first, _RARE_WALLS)
        second = np.array([_SECOND_NAME.get(name, name) for name in first], dtype=object)
        swap = self.chance(0.1)
        second[swap] = self.pick({"Plywood": 35, "Wd Shng": 20, "VinylSd": 20, "HdBoard": 20})[swap]
        self["Exterior2nd"] = self.with_all(second, _RARE_SECOND_WALLS)
        score = self["OverallQual"] + self.normal(0.7)
        likely = np.clip(0.34 + 0.12 * (score - 6) + 0.002 * (built - 1971), 0.03, 0.85)
        area = np.maximum(16, 230 * np.exp(self.normal(0.7)) * (self["GrLivArea"] / 1500))
        veneer = self.chance(likely)
        sort = self.pick({"BrkFace": 75, "Stone": 21, "BrkCmn": 3})
        sort[~veneer] = "None"
        self["MasVnrType"] = sort
        self["MasVnrArea"] = np.where(veneer, np.minimum(area, 1600), 0)
        age = (built - 1971) / 30
        self["ExterQual"] = self.grade(score + 0.7 * age, (1, 62, 33, 4))
        self["ExterCond"] = self.grade(self.normal() + 0.1 * age, (0.1, 2.2, 87, 10, 0.4))
        kitchen = score + 0.5 * age + (self["YearRemodAdd"] - 1985) / 25
        self["KitchenQual"] = self.grade(kitchen + self.normal(0.4), (2.5, 51, 39.5, 7))
        heating = (self["YearRemodAdd"] - 1985) / 12 + 0.4 * score + self.normal(1)
        self["HeatingQC"] = self.grade(heating, (0.1, 3, 29, 16.5, 51))
        self["CentralAir"] = np.where(self.chance(np.where(built < 1950, 0.26, 0.02)), "N", "Y")
        old = self.chance(np.where(built < 1965, 0.19, 0.01))
        wiring = np.where(self.chance(0.2), "FuseF", "FuseA")
        electrical = np.where(old, wiring, "SBrkr").astype(object)
        electrical[old & self.chance(0.04)] = "FuseP"
        self["Electrical"] = self.with_all(electrical, ("FuseP", "Mix"))

    def _basement(self) -> None:
        built, kind = self["YearBuilt"], self["BldgType"]
        absent = self.chance(np.where(kind == "Duplex", 0.2, 0.021))
        absent[self.random.choice(np.flatnonzero(absent), 3)] = False
        foundation = np.where(built < 1938, "BrkTil", "CBlock").astype(object)
        foundation[(built > 1978) & self.chance(0.88)] = "PConc"
        foundation[(built < 1978) & self.chance(0.12)] = "PConc"
        foundation[absent] = np.where(self.chance(0.65), "Slab", "CBlock")[absent]
        self["Foundation"] = self.with_all(foundation, ("Stone", "Wood"), among=~absent)
        here = ~absent
        tall = (built - 1971) / 18 + 0.45 * (self["OverallQual"] - 6) + self.normal(0.5)
        self["BsmtQual"] = self.grade(tall, (3, 45, 43, 9), here)
        names = ("Po", "Fa", "TA", "Gd")
        self["BsmtCond"] = self.grade(self.normal(), (0.2, 3.6, 92, 4.2), here, names)
        self["BsmtExposure"] = self.pick({"No": 67, "Av": 15, "Gd": 10, "Mn": 8})
        new = {"GLQ": 45, "Unf": 42, "ALQ": 7, "BLQ": 3, "Rec": 2, "LwQ": 2}
        older = {"Unf": 25, "ALQ": 21, "Rec": 16, "BLQ": 15, "GLQ": 14, "LwQ": 8}
        one = np.where(built > 1985, self.pick(new), self.pick(older)).astype(object)
        two = self.pick({"Unf": 86, "Rec": 4, "LwQ": 3, "BLQ": 2.5, "ALQ": 2, "GLQ": 1.5})
        two[one == "Unf"] = "Unf"
        self["BsmtFinType1"], self["BsmtFinType2"] = one, two
        total = self["1stFlrSF"] * np.clip(self.normal(0.07) + 0.95, 0.4, 1.1)
        total = np.rint(np.where(absent, 0, total))
        part = np.where(one == "Unf", 0, np.clip(self.normal(0.23) + 0.6, 0.03, 1))
        first = np.rint(total * part)
        second = np.rint(np.where(two == "Unf", 0, (total - first) * self.uniform(0.2, 1)))
        self["TotalBsmtSF"], self["BsmtFinSF1"], self["BsmtFinSF2"] = total, first, second
        self["BsmtUnfSF"] = total - first - second
        bath = self.chance(np.clip(0.05 + 0.0009 * (first + second), 0, 0.9))
        more = self.with_all(1 + self.chance(0.02), (2, 3), among=bath)
        self["BsmtFullBath"] = bath * more
        self["BsmtHalfBath"] = 1 * self.chance(np.where(bath | absent, 0.01, 0.09))
        for column in _BASEMENT:
            self.columns[column][absent] = ""

    def _rooms(self) -> None:
        area, built = self["GrLivArea"], self["YearBuilt"]
        full = 0.45 + area / 1250 + np.where(built > 1985, 0.45, -0.25) + self.normal(0.3)
        self["FullBath"] = np.clip(full, 1, 3)
        tall = self["2ndFlrSF"] > 0
        half = self.chance(np.where(tall, 0.62, 0.17) + np.where(built > 1970, 0.1, -0.1))
        self["HalfBath"] = 1 * half
        two = np.isin(self["BldgType"], ("Duplex", "2fmCon"))
        bedrooms = 0.9 + area / 730 + np.where(two, 0.8, 0) + self.normal(0.55)
        town = np.isin(self["BldgType"], ("Twnhs", "TwnhsE"))
        self["BedroomAbvGr"] = np.clip(bedrooms - np.where(town, 0.7, 0), 1, 6)
        self["KitchenAbvGr"] = 1 + self.chance(np.where(two, 0.75, 0.005))
        rooms = 1 + area / 480 + 0.75 * self["BedroomAbvGr"] + self.normal(0.6)
        self["TotRmsAbvGrd"] = np.clip(rooms, 3, 14)
        warm = -0.6 + area / 1250 + 0.12 * (self["OverallQual"] - 6) + self.normal(0.5)
        self["Fireplaces"] = np.clip(warm, 0, 3)
        score = 0.35 * (self["OverallQual"] - 6) + (built - 1971) / 60 + self.normal()
        lit = self["Fireplaces"] > 0
        self["FireplaceQu"] = self.grade(score, (3, 5, 40, 49, 3), lit)
        self["FireplaceQu"][~lit] = ""

    def _garage(self) -> None:
        built, kind = self["YearBuilt"], self["BldgType"]
        old = built < 1950
        absent = self.chance(np.where(np.isin(kind, ("Duplex", "2fmCon")), 0.22, 0.045))
        here = ~absent
        sort = np.where(self.chance(np.where(old, 0.85, 0.15)), "Detchd", "Attchd").astype(object)
        sort[(self["2ndFlrSF"] > 0) & (built > 1980) & self.chance(0.2)] = "BuiltIn"
        other = self.chance(0.026)
        sort[other] = self.pick({"Basment": 36, "2Types": 23, "CarPort": 15})[other]
        rare = ("Basment", "2Types", "CarPort")
        self["GarageType"] = self.with_all(sort, rare, among=here)
        later = built + self.uniform() ** 2 * (self["YrSold"] - built)
        renewed = self.chance(np.where(sort == "Detchd", 0.6, 0.05))
        self["GarageYrBlt"] = np.maximum(np.where(renewed, later, built), 1900)
        score = (built - 1971) / 25 + 0.5 * (self["OverallQual"] - 6) + self.normal(0.8)
        score = score - np.where(sort == "Detchd", 2.5, 0)
        names = np.array(["Unf", "RFn", "Fin"], dtype=object)
        self["GarageFinish"] = names[np.searchsorted((-0.2, 1.1), score)]
        cars = 1.85 + 0.013 * (built - 1971) + 0.17 * (self["OverallQual"] - 6)
        cars = np.clip(cars + (self["GrLivArea"] - 1500) / 2500 + self.normal(0.4), 1, 4)
        self["GarageCars"] = np.where(absent, 0, cars)
        area = self["GarageCars"] * 215 + np.where(cars > 1.5, 95, 70) + self.normal(60)
        self["GarageArea"] = np.where(absent, 0, np.clip(area, 160, 1450))
        for column in ("GarageQual", "GarageCond"):
            score = self.normal() + (built - 1971) / 40
            self[column] = self.grade(score, (0.3, 4, 94.7, 0.8, 0.2), here)
        for column in _GARAGE:
            self.columns[column] = self[column].astype(object)
            self[column][absent] = ""

    def _outside(self) -> None:
        built = self["YearBuilt"]
        shares = {1950: {"Y": 62, "N": 28, "P": 10}, 2011: {"Y": 97.5, "N": 2, "P": 0.5}}
        drive = self.pick(shares[2011])
        drive[built < 1950] = self.pick(shares[1950])[built < 1950]
        self["PavedDrive"] = drive
        for column, share, size, spread in (
            ("WoodDeckSF", np.where(built > 1960, 0.58, 0.27), 175, 0.5),
            ("OpenPorchSF", np.where(built > 1985, 0.8, 0.34), 60, 0.7),
            ("EnclosedPorch", np.where(built < 1950, 0.42, 0.04), 130, 0.5),
            ("3SsnPorch", 0.0125, 180, 0.5),
            ("ScreenPorch", 0.088, 175, 0.4),
        ):
            area = size * np.exp(self.normal(spread))
            self[column] = np.where(self.chance(share), np.minimum(area, 900), 0)
        self["PoolArea"] = np.zeros(self.count, dtype=int)
        self["PoolQC"] = np.full(self.count, "", dtype=object)
        rows = np.concatenate([np.arange(70, TRAIN, 210), TRAIN + np.arange(330, TEST, 450)])
        self["PoolQC"][rows] = np.resize(np.array(["Gd", "Ex", "Fa"], dtype=object), len(rows))
        self["PoolArea"][rows] = self.random.integers(360, 760, len(rows))
        worth = np.rint(500 * np.exp(self.normal(0.7)) / 50) * 50
        self["MiscVal"] = np.where(self["MiscFeature"] == "", 0, np.maximum(worth, 50))

    def _sale(self) -> None:
        new = (self["YrSold"] - self["YearBuilt"] <= 1) & self.chance(0.72)
        self["SaleType"][new] = "New"
        self["SaleCondition"][new] = "Partial"
        self["SaleType"][self.chance(0.2) & (self["SaleCondition"] == "Abnorml")] = "COD"

    def _price(self) -> None:
        quality, size = self["OverallQual"] - 6.0, np.log(self["GrLivArea"] / 1450)
        graded = {"Po": -2, "Fa": -1, "TA": 0, "Gd": 1, "Ex": 2}
        kitchen = np.array([graded[name] for name in self["KitchenQual"]])
        outside = np.array([graded[name] for name in self["ExterQual"]])
        finished = (self["BsmtFinSF1"] + self["BsmtFinSF2"]) / 1000
        log_price = (
            11.50
            + 0.5 * self.extra / 100
            + np.where(size > 0, 0.5, 0.22) * size
            + 0.06 * quality * size
            + 0.045 * quality
            + 0.005 * np.maximum(quality, 0) ** 2
            + np.where(self["YearBuilt"] < 1960, 0.08, 0.02) * (self["OverallCond"] - 5)
            - np.where((self["YearBuilt"] < 1960) & (self["OverallCond"] < 5), 0.12, 0)
            + 0.11 * np.exp((self["YearBuilt"] - self["YrSold"]) / 15)
            + 0.09 * np.exp((self["YearRemodAdd"] - self["YrSold"]) / 12)
            - 0.05 * (self["YearBuilt"] < 1930)
            - np.where((self["BedroomAbvGr"] > 3) & (self["FullBath"] < 2), 0.1, 0)
            + (0.14 + 0.01 * quality) * self["TotalBsmtSF"] / 1000
            + np.where(quality > -0.5, 0.14, 0.02) * finished
            + np.where(self["TotalBsmtSF"] == 0, -0.06, 0)
            + 0.09 * np.log(self["LotArea"] / 9500)
            + 0.045 * self["GarageCars"]
            + np.where(self["GarageArea"] == 0, -0.12, 0)
            + 0.035 * self["FullBath"]
            + 0.022 * self["HalfBath"]
            + 0.035 * self["BsmtFullBath"]
            + 0.04 * np.minimum(self["Fireplaces"], 2)
            + 0.03 * kitchen
            + 0.02 * outside
            + 0.0001 * self["WoodDeckSF"]
            + 0.0003 * self["ScreenPorch"]
            + np.where(self["CentralAir"] == "Y", 0.08, 0)
            + np.where(self["Functional"] == "Typ", 0, -0.09)
            + np.where(np.isin(self["Condition1"], ("Artery", "Feedr")), -0.06, 0)
            + np.where(self["MSZoning"] == "C (all)", -0.3, 0)
            + np.where(self["SaleCondition"] == "Abnorml", -0.1, 0)
            + np.where(self["SaleType"] == "New", 0.05, 0)
            + np.where(np.isin(self["BldgType"], ("Duplex", "2fmCon")), -0.1, 0)
            + np.where(self["PoolArea"] > 0, 0.08, 0)
        )
        noise = self.normal(0.085) + np.where(self.chance(0.03), self.normal(0.35) - 0.15, 0)
        price = np.exp(log_price + noise)
        self["SalePrice"] = np.clip(np.rint(price / 500) * 500, 34500, 755000)


def _lose(random: np.random.Generator, frame: pd.DataFrame) -> None:
    """Clear the fields that mean "has none", and those that are missing at random."""
    frame["LotFrontage"] = _frontage(random, frame)
    texts = frame.columns[[dtype.kind not in "iuf" for dtype in frame.dtypes]]
    frame[texts] = frame[texts].astype(object).where(frame[texts] != "", None)
    frame["GarageYrBlt"] = frame["GarageYrBlt"].astype("Int64")
    losses = [((column,), first, second) for column, first, second in _LOST]
    for columns, in_train, in_test in (*losses, *_LOST_TOGETHER):
        full = np.flatnonzero(frame[list(columns)].notna().all(axis=1))
        for rows, number in ((full[full < TRAIN], in_train), (full[full >= TRAIN], in_test)):
            chosen = random.choice(rows, number, replace=False)
            for column in columns:
                if frame[column].dtype.kind in "iu":
                    frame[column] = frame[column].astype("Int64")
                frame.loc[frame.index[chosen], column] = None


def _frontage(random: np.random.Generator, frame: pd.DataFrame) -> pd.Series:
    """Return the street frontage of each lot in feet; for irregular lots it is often unknown."""
    size = np.sqrt(frame["LotArea"].to_numpy()) * 0.72
    feet = np.clip(np.rint(size * np.exp(0.13 * random.standard_normal(len(frame)))), 21, 313)
    unknown = np.select(
        [frame["LotConfig"] == "CulDSac", frame["LotShape"] != "Reg"], [0.55, 0.32], 0.08
    )
    feet = pd.Series(feet, frame.index).astype("Int64")
    return feet.mask(random.random(len(frame)) < unknown)
