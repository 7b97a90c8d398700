"""Predictions for files: what the model says of each, whatever kind it is, and what is wrong with the rest."""

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from epochal.errors import CheckpointError, DataError, RunError, SettingError
from epochal.stages.artifact import Facts
from epochal.stages.folder import RunFolder
from epochal.stages.predict import predict_files
from pictures import encoded, folder_of, zip_of
from stages.models import TASKS, facts_of, run_with
from stages.striped import CLASSES, striped_files, stripes
from stages.trap import Trap
from stages.whole import Whole


def test_predictions_agree_with_the_evaluation(finished: Whole) -> None:
    """The test files, read again by `predict`, get the classes and probabilities that the evaluation wrote."""
    with finished.folder.predictions.open(encoding="utf-8", newline="") as file:
        evaluated = {row["file"].removeprefix("test/"): row for row in csv.DictReader(file)}
    rows = predict_files(finished.folder.path, finished.data / "test")
    assert {row["file"] for row in rows} == evaluated.keys()
    for row in rows:
        assert row["predicted"] == evaluated[row["file"]]["predicted"]
        written = float(evaluated[row["file"]]["probability"])
        assert row["probability"] == pytest.approx(written, abs=0.05)  # bfloat16 there


def test_any_kind_of_picture_is_understood(finished: Whole, tmp_path: Path) -> None:
    """Grey, palette, 16 bits, CMYK, transparent, other sizes, other formats: the same stripes, the same class."""
    image = Image.fromarray(stripes(7, across=True))
    wide = (np.asarray(image.convert("L")).astype(np.uint16) * 257).astype(np.uint16)
    kinds = {
        "grey.png": encoded(image.convert("L")),
        "palette.gif": encoded(image.convert("P"), "GIF"),
        "sixteen.png": encoded(Image.fromarray(wide)),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG", quality=95),
        "clear.png": encoded(image.convert("RGBA")),
        "large.bmp": encoded(image.resize((48, 48), Image.Resampling.NEAREST), "BMP"),
        "web.webp": encoded(image, "WEBP", quality=95),
    }
    rows = predict_files(finished.folder.path, folder_of(kinds, tmp_path / "kinds"))
    assert {row["file"]: row["predicted"] for row in rows} == dict.fromkeys(kinds, CLASSES[1])


def test_unreadable_files_are_listed_and_stop_nothing(finished: Whole, tmp_path: Path) -> None:
    """Each file has its row, in the order of the names; a bad one says what is wrong with it."""
    good = striped_files(2, splits=())
    bad = {"a-empty.png": b"", "z-cut.png": next(iter(good.values()))[:60]}
    rows = predict_files(finished.folder.path, folder_of(good | bad, tmp_path / "mixed"))
    assert [row["file"] for row in rows] == sorted(good | bad)
    assert {row["file"] for row in rows if row["problem"]} == set(bad)
    assert all((row["predicted"] is None) == (row["problem"] is not None) for row in rows)


def test_only_unreadable_files_are_still_an_answer(finished: Whole, tmp_path: Path) -> None:
    """A folder of broken files gives a row for each, no error."""
    (row,) = predict_files(finished.folder.path, folder_of({"x.png": b"broken"}, tmp_path / "broken"))
    assert row["problem"] is not None


def test_one_image_and_a_zip_will_do(finished: Whole, tmp_path: Path) -> None:
    """A single file and an archive are as good as a folder, with the same answers."""
    files = striped_files(4, splits=())
    zipped = predict_files(finished.folder.path, zip_of(files, tmp_path / "new.zip"))
    folder = folder_of(files, tmp_path / "new")
    assert zipped == predict_files(finished.folder.path, folder)
    (one,) = predict_files(finished.folder.path, folder / zipped[0]["file"])
    assert (one["file"], one["predicted"]) == (Path(zipped[0]["file"]).name, zipped[0]["predicted"])


def test_no_images_is_an_error(finished: Whole, tmp_path: Path) -> None:
    """An empty folder is a slip of the path, and said to be one."""
    with pytest.raises(DataError, match="no image"):
        predict_files(finished.folder.path, tmp_path)


def test_no_run_is_an_error(tmp_path: Path) -> None:
    """A folder without a run is named."""
    with pytest.raises(RunError, match="holds no run"):
        predict_files(tmp_path, tmp_path)


def test_a_poisoned_model_is_refused(finished_copy: RunFolder, finished: Whole, tmp_path: Path) -> None:
    """A pickle in place of the model is an error, and never unpickled."""
    mark = tmp_path / "ran"
    finished_copy.model.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(CheckpointError):
        predict_files(finished_copy.path, finished.data / "test")
    assert not mark.exists()


COLUMNS = {
    "classification": ["predicted", "probability"],
    "multi-label": ["labels", "probability.sea", "probability.sky"],
    "regression": ["angle", "length"],
    "segmentation": ["mask", "share.road", "share.sky"],
}


def _photos(top: Path) -> Path:
    """Pictures of several sizes and kinds, one of them broken."""
    noise = np.random.default_rng(0)
    files = {"broken.jpg": b"no picture"}
    for name, (height, width) in {"a/x.png": (32, 64), "b/x.png": (70, 50), "y.png": (40, 300)}.items():
        files[name] = encoded(Image.fromarray(noise.integers(0, 256, (height, width, 3), dtype=np.uint8)))
    return folder_of(files, top)


@pytest.mark.parametrize("task", TASKS)
def test_each_task_has_its_columns(task: str, tmp_path: Path) -> None:
    """File first, problem last, the task's own between; those of an unreadable file are None."""
    run = run_with(tmp_path / "run", facts_of(task))
    rows = predict_files(run.path, _photos(tmp_path / "photos"), output=tmp_path / "out")
    assert [row["file"] for row in rows] == ["a/x.png", "b/x.png", "broken.jpg", "y.png"]
    assert all(list(row) == ["file", *COLUMNS[task], "problem"] for row in rows)
    for row in rows:
        told = [row[name] for name in COLUMNS[task]]
        assert [value is None for value in told] == [row["problem"] is not None] * len(told)


@pytest.mark.parametrize("task", TASKS)
def test_only_broken_files_have_the_columns_too(task: str, tmp_path: Path) -> None:
    """A table of problems alone has the head of any other."""
    run = run_with(tmp_path / "run", facts_of(task))
    photos = folder_of({"x.png": b"broken"}, tmp_path / "photos")
    (row,) = predict_files(run.path, photos, output=tmp_path / "out")
    assert list(row) == ["file", *COLUMNS[task], "problem"]


def test_values_come_in_the_units_of_the_labels(tmp_path: Path) -> None:
    """Standardised outputs are decoded once: a network that says a constant gives the value which that stands for."""
    facts = facts_of("regression", flip=False)
    task = facts.kind

    class Constant(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[0.0, 2.0, 1.0]]).expand(len(images), 3)  # a quarter turn; one deviation up

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("epochal.stages.predict.load_model", lambda _: (Constant(), facts))
        run = run_with(tmp_path / "run", facts)
        rows = predict_files(run.path, _photos(tmp_path / "photos"))
    lengths = np.linspace(5, 900, 50)
    assert task.names == ("angle", "length")
    assert rows[0]["angle"] == pytest.approx(2.5)
    assert rows[0]["length"] == pytest.approx(lengths.mean() + lengths.std(), rel=1e-6)


def _painted(facts: Facts) -> nn.Module:
    """A network that calls bright pixels sky and dark ones road, at the size it is given."""

    class Bright(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            pixels = images * torch.tensor(facts.std).view(1, 3, 1, 1) + torch.tensor(facts.mean).view(1, 3, 1, 1)
            bright = pixels.mean(1) - 0.5
            return torch.stack([-bright, bright], dim=1)

    return Bright()


@pytest.mark.parametrize(("height", "width"), [(32, 64), (96, 192), (64, 32), (50, 50), (33, 400), (31, 20)])
def test_a_mask_has_the_size_and_the_place_of_its_picture(tmp_path: Path, height: int, width: int) -> None:
    """Whatever the picture's size and proportions, the mask covers all of it and lies where the picture does."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, width // 4 :] = 255
    photos = folder_of({"p.png": encoded(Image.fromarray(pixels))}, tmp_path / "photos")
    facts = facts_of("segmentation")
    run = run_with(tmp_path / "run", facts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("epochal.stages.predict.load_model", lambda _: (_painted(facts), facts))
        (row,) = predict_files(run.path, photos, output=tmp_path / "out")
    mask = np.asarray(Image.open(tmp_path / "out" / row["mask"]))
    assert mask.shape == (height, width)
    true = pixels[..., 0] > 0
    wrong = (mask == 1) != true
    assert wrong.mean() < 0.06  # pixels on the edge, softened by two changes of size
    assert row["share.sky"] == pytest.approx(true.mean(), abs=0.05)
    assert row["share.road"] + row["share.sky"] == pytest.approx(1.0)


def test_masks_keep_their_folders(tmp_path: Path) -> None:
    """Pictures of one name in two folders have a mask each, in folders of the same names."""
    run = run_with(tmp_path / "run", facts_of("segmentation"))
    rows = predict_files(run.path, _photos(tmp_path / "photos"), output=tmp_path / "out")
    assert [row["mask"] for row in rows] == ["masks/a/x.png", "masks/b/x.png", None, "masks/y.png"]
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")} == {
        "masks/a/x.png",
        "masks/b/x.png",
        "masks/y.png",
    }


def test_masks_need_a_folder(tmp_path: Path) -> None:
    """Without one the error says how to name it, before anything is decoded."""
    run = run_with(tmp_path / "run", facts_of("segmentation"))
    with pytest.raises(SettingError, match="no place for them") as caught:
        predict_files(run.path, tmp_path / "nowhere")
    assert caught.value.remedy == "--output out/"


@pytest.mark.parametrize("inside", [".", "out", "deep/out"])
def test_nothing_is_written_among_the_pictures(tmp_path: Path, inside: str) -> None:
    """A folder of masks inside the folder of pictures is refused: the next run would take masks for pictures."""
    run, photos = run_with(tmp_path / "run", facts_of("segmentation")), _photos(tmp_path / "photos")
    before = sorted(photos.rglob("*"))
    with pytest.raises(SettingError, match="inside the folder of the pictures"):
        predict_files(run.path, photos, output=photos / inside)
    assert sorted(photos.rglob("*")) == before
