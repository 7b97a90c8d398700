"""What the report shows of the data."""

from pathlib import Path

import numpy as np
import pytest

from epochal.recipe.journal import Journal
from epochal.stages.census import sizes
from epochal.stages.folder import RunFolder
from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from stages.targets import folder_with
from stages.whole import inspected_on


def test_classes_are_counted_in_each_split(begun: tuple[Session, Inspected]) -> None:
    """Forty pictures of two kinds in each split, as the table has them, and one size for all."""
    session, inspected = begun
    splits = session.journal.measured("data.splits")
    assert {split: sum(counts.values()) for split, counts in splits.items()} == {"train": 40, "val": 40, "test": 40}
    assert sizes(inspected.table) == [[12, 12, 120]]
    assert session.journal.measured("data.input_size") == [12, 12]


@pytest.mark.parametrize("kind", ["multi-label", "regression", "segmentation"])
def test_targets_are_shown_without_opening_the_test_split(kind: str, tmp_path: Path) -> None:
    """Positives, values and pixels are those of train and val, counted again from the labels; none are of test."""
    _, inspected = inspected_on(folder_with(kind, tmp_path / "data"), RunFolder(tmp_path / "run"))
    journal = Journal(tmp_path / "run" / "journal.jsonl")
    assert journal.measured("task")["name"] == kind
    assert not list(journal.select("opened"))
    if kind == "multi-label":
        counted = inspected.train.targets.sum(axis=0).astype(int).tolist()
        assert list(journal.measured("data.splits")["train"].values()) == counted
    elif kind == "regression":
        (spread,) = journal.measured("data.values").values()
        assert spread.keys() == {"edges", "train", "val"}
        assert (sum(spread["train"]), sum(spread["val"])) == (len(inspected.train), len(inspected.val))
    else:
        shares = journal.measured("data.pixels")
        masks = np.asarray(inspected.train.targets)
        assert shares.keys() == {"train", "val"}
        assert shares["train"]["lying"] == pytest.approx((masks == 1).sum() / (masks != 255).sum(), abs=1e-5)
