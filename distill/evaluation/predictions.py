"""What a run answered for each crop, and by aggregation for each slide and patient.

The answer for a slide (or a patient) is made of the class probabilities of all of its predicted
crops, labelled or not, as `distill.evaluation.choices.Aggregate` says. The class predicted is the
one with the largest. The label is that of its labelled crops; where they disagree it has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from distill.errors import RunError
from distill.evaluation.choices import Aggregate
from distill.types import Floats, Indices
from wsistore import texts

UNIT_COLUMNS = {
    "crop": ["crop", "slide", "patient", "label", "area_mm2"],
    "slide": ["slide", "patient", "label", "crops", "area_mm2"],
    "patient": ["patient", "label", "crops", "area_mm2"],
}
LARGER = {"crop": ("slide", "patient"), "slide": ("patient",), "patient": ()}
"""What the answers for cases of each kind add up to."""


@dataclass(frozen=True)
class Predictions:
    """A run's answers for N cases of one kind.

    Attributes:
        kind: "crop", "slide" or "patient".
        classes: K names.
        table: (N,) rows with the columns of `UNIT_COLUMNS`; label is None where there is none.
        probabilities: (N, K) float64.
        predicted: (N,) class indices.
    """

    kind: str
    classes: tuple[str, ...]
    table: pd.DataFrame
    probabilities: Floats
    predicted: Indices

    def csv(self) -> bytes:
        """Return the answers as a table; docs/reference/evaluation.md has its columns."""
        names = np.array(self.classes, dtype=object)
        columns = {"predicted": names[self.predicted]}
        columns |= {f"p_{name}": self.probabilities[:, k] for k, name in enumerate(names)}
        wide = pd.concat([self.table, pd.DataFrame(columns, index=self.table.index)], axis=1)
        return guarded_csv(wide)

    @classmethod
    def read(cls, file: Path, kind: str = "crop") -> Predictions:
        """Read what `csv` wrote; the numbers are the very same.

        Raises:
            RunError: the file is missing or is no such table.
        """
        try:
            wide = read_guarded_csv(file)
            if not isinstance(wide.index, pd.RangeIndex):
                raise ValueError("its rows have more cells than its header")
        except (OSError, ValueError) as error:
            raise RunError(f"{file} cannot be read ({error}); evaluate the run again") from error
        return cls.of_cells(wide, kind, file)

    @classmethod
    def of_cells(cls, wide: pd.DataFrame, kind: str, file: Path) -> Predictions:
        """Return the answers of a table that `csv` wrote, each cell a text; `file` names it.

        Raises:
            RunError: it is no such table.
        """
        columns = UNIT_COLUMNS[kind]
        given = wide.columns[len(columns) + 1 :]
        classes = tuple(name.removeprefix("p_") for name in given)
        if list(wide.columns) != [*columns, "predicted", *(f"p_{name}" for name in classes)]:
            raise RunError(f"{file} is not a table of predictions; evaluate the run again")
        place = {name: k for k, name in enumerate(classes)}
        labels = [label or None for label in wide["label"]]
        numbers = {"crops": int, "area_mm2": float}
        try:
            table = wide[columns].assign(label=pd.Series(labels, dtype=object))
            for name in numbers.keys() & set(columns):
                table[name] = [numbers[name](value) for value in wide[name]]
            predicted = np.array([place[name] for name in wide["predicted"]], dtype=np.intp)
            # through float(), which is exact; pandas' own parser can be off by the last bit
            chances = [[float(value) for value in wide[name]] for name in given]
        except (KeyError, ValueError) as error:
            raise RunError(f"{file} is damaged ({error}); evaluate the run again") from error
        return cls(kind, classes, table, np.array(chances, dtype=np.float64).T, predicted)

    def select(self, rows: np.ndarray) -> Predictions:
        """Return the answers of some rows: (N,) bool, or indices."""
        return Predictions(
            self.kind,
            self.classes,
            self.table.iloc[rows].reset_index(drop=True),
            self.probabilities[rows],
            self.predicted[rows],
        )

    def by(self, kind: str, aggregate: str = "mean") -> Predictions:
        """Return the answers for "slide" or "patient", in order of first appearance.

        Patients are made of these cases: of crops, or of slides where a run answers for slides.

        Args:
            kind: of larger cases than these.
            aggregate: what `Aggregate.parse` takes.

        Raises:
            ValueError: `kind` is of no larger cases, or `aggregate` is nothing of the kind, or
                names a class that there is not.
        """
        how = Aggregate.parse(aggregate)
        if said := how.wrong_for(self.classes):
            raise ValueError(said)
        if kind not in LARGER[self.kind]:
            raise ValueError(f"{self.kind}s cannot be aggregated to {kind}s")
        group, table = grouped(self.table, kind)
        area = self.table["area_mm2"].to_numpy(np.float64)
        found = self._top(group, how) if how.way == "top" else self._means(group, area, how)
        return Predictions(kind, self.classes, table, found, found.argmax(1).astype(np.intp))

    def _means(self, group: Indices, area: Floats, how: Aggregate) -> Floats:
        weight = area if how.way == "area" else np.ones(len(group))
        weight = weight / np.bincount(group, weight)[group]
        means = np.zeros((len(np.unique(group)), len(self.classes)))
        np.add.at(means, group, self.probabilities * weight[:, None])
        return means

    def _top(self, group: Indices, how: Aggregate) -> Floats:
        """Return the probabilities of groups; the order of the crops changes no bit of them."""
        # of crops that are equal, the one with the first id
        tied = np.unique(self.table[self.kind].to_numpy(str), return_inverse=True)[1]
        number = np.bincount(group)
        found = np.empty((len(number), len(self.classes)))

        def taken(k: int) -> Indices:
            """Crops, group by group, the likeliest of class k first, as many as count."""
            order = np.lexsort((tied, -self.probabilities[:, k], group))
            rank = np.arange(len(group)) - (np.cumsum(number) - number)[group[order]]
            return order[rank < how.top]

        for k in range(len(self.classes)):
            rows = taken(k if how.of is None else self.classes.index(how.of))
            found[:, k] = np.bincount(group[rows], self.probabilities[rows, k])
        found /= np.minimum(number, how.top)[:, None]
        if how.of is None:  # where all crops count the means sum to 1 already
            found /= np.where(number <= how.top, 1.0, found.sum(1))[:, None]
        return found

    def mixed(self, crops: Predictions) -> int:
        """Count the slides (or patients) without a label because their crops' labels disagree."""
        labeled = set(crops.table[self.kind][crops.table["label"].notna()])
        return int((self.table["label"].isna() & self.table[self.kind].isin(labeled)).sum())


def reordered(answers: Predictions, classes: tuple[str, ...]) -> Predictions:
    """Return answers whose classes, the same ones, stand in another order."""
    order = np.array([answers.classes.index(name) for name in classes])
    return Predictions(
        answers.kind,
        classes,
        answers.table,
        answers.probabilities[:, order],
        np.argsort(order)[answers.predicted],
    )


def grouped(cases: pd.DataFrame, kind: str) -> tuple[Indices, pd.DataFrame]:
    """Return the slides or patients that cases are of, in order of first appearance.

    Args:
        cases: (N,) rows with the columns of smaller cases, see `UNIT_COLUMNS`.
        kind: "slide" or "patient".

    Returns:
        (N,) the number of each case's slide or patient, and their table.
    """
    group, names = pd.factorize(cases[kind])
    first = np.unique(group, return_index=True)[1]
    area = cases["area_mm2"].to_numpy(np.float64)
    crops = cases["crops"].to_numpy(np.float64) if "crops" in cases else np.ones(len(cases))
    columns: dict[str, Any] = {
        "slide": names,
        "patient": cases["patient"].to_numpy()[first],
        "label": pd.Series(common_labels(group, cases["label"]), dtype=object),
        "crops": np.bincount(group, crops).astype(np.intp),
        "area_mm2": np.bincount(group, area),
    }
    return group, pd.DataFrame({name: columns[name] for name in UNIT_COLUMNS[kind]})


def guarded_csv(table: pd.DataFrame) -> bytes:
    """Return a table as CSV whose texts no spreadsheet takes for formulas: `wsistore.texts`."""
    shown = table.rename(columns=texts.csv_cell)
    for name in shown.columns[[not is_numeric_dtype(kind) for kind in shown.dtypes]]:
        shown[name] = [texts.csv_cell(v) if isinstance(v, str) else v for v in shown[name]]
    return shown.to_csv(index=False, lineterminator="\n").encode()


def read_guarded_csv(file: Path) -> pd.DataFrame:
    """Read what `guarded_csv` wrote, each cell as the text that it was.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    return table.rename(columns=texts.csv_value).map(texts.csv_value)


def common_labels(group: Indices, labels: pd.Series[Any]) -> list[str | None]:
    """Return the label that all labelled cases of a group share.

    Args:
        group: (N,) 0 … G − 1, each at least once.
        labels: (N,) of the cases, None where one has none.

    Returns:
        G labels; None where they disagree, or no case has one.
    """
    codes, names = pd.factorize(labels)  # -1 for none
    some, groups = codes >= 0, int(group.max()) + 1 if len(group) else 0
    low, high = np.full(groups, len(names)), np.full(groups, -1)
    np.minimum.at(low, group[some], codes[some])
    np.maximum.at(high, group[some], codes[some])
    shared = zip(low.tolist(), high.tolist(), strict=True)
    return [str(names[least]) if least == most else None for least, most in shared]
