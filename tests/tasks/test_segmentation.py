"""Facts about the segmentation task."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from epochal.errors import DataError, SettingError
from epochal.losses.mask_choice import CLASS_WEIGHTS, MASK_LOSSES
from epochal.models.linear_pixels import LinearPixels
from epochal.stats.pixels import fit_pixels
from epochal.stats.segmentation import mask_confusions, mean_iou
from epochal.tasks.segmentation import Segmentation
from epochal.tasks.task import Task

CLASSES = ("road", "sky", "car")


def _masks(n: int = 12, seed: int = 0) -> np.ndarray:
    """Sky above road, a car in every third, gaps in the labels, one picture without any."""
    source = np.random.default_rng(seed)
    masks = np.zeros((n, 16, 24), np.uint8)
    for mask in masks:
        mask[: source.integers(5, 9)] = 1
    masks[::3, 10:14, 8:12] = 2
    masks[source.random(masks.shape) < 0.1] = 255
    masks[1] = 255
    return masks


MASKS = _masks()
TASK = Segmentation.of(CLASSES, MASKS)


def _evidence(sure: float, seed: int = 0) -> np.ndarray:
    """Evidence of a network that knows the answer, with noise around it."""
    known = np.where(MASKS == 255, 0, MASKS)
    logits = sure * np.eye(3)[known].transpose(0, 3, 1, 2) + np.random.default_rng(seed).normal(size=(12, 3, 16, 24))
    evidence: np.ndarray = TASK.evidence(torch.from_numpy(logits).float(), torch.from_numpy(MASKS)).numpy()
    return evidence


def test_it_is_a_dense_task() -> None:
    """One logit per class and pixel, judged by mean overlap."""
    task: Task = TASK
    assert (task.name, task.outputs, task.dense, task.names) == ("segmentation", 3, True, CLASSES)
    assert (task.metric.name, task.metric.higher_is_better, task.metric.unit) == ("mean IoU", True, "share")
    assert TASK.majority == "road"
    assert isinstance(task.decoder(), nn.Identity)


def test_masks_are_counted() -> None:
    """Pixels by class, shares as means over images, those without label counting as nothing."""
    assert TASK.pixels == tuple(int(np.sum(np.equal(MASKS, k))) for k in range(3))
    shares = [[(mask == k).sum() / max(1, (mask != 255).sum()) for k in range(3)] for mask in MASKS]
    np.testing.assert_allclose(TASK.shares, np.mean(shares, axis=0))
    assert TASK.images == (11, 11, 4)
    assert TASK.prior.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", MASK_LOSSES)
@pytest.mark.parametrize("class_weights", CLASS_WEIGHTS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("task", [TASK, Segmentation.of(("a", "b"), np.array([[[0, 1]]] * 3, np.uint8))])
def test_initial_loss_is_what_a_prepared_network_measures(
    name: str, class_weights: str, smoothing: float, task: Segmentation
) -> None:
    """A network whose head ignores the image measures exactly the promised loss on the training masks."""
    if (name == "dice" and class_weights != "none") or (smoothing and "cross-entropy" not in name):
        with pytest.raises(SettingError, match="Expected"):
            task.initial_loss(smoothing=smoothing, name=name, class_weights=class_weights)
        return
    masks = MASKS if task is TASK else np.array([[[0, 1]]] * 3, np.uint8)
    head = nn.Conv2d(4, task.outputs, 1)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), head)
    task.prepare_(model)
    nn.init.zeros_(head.weight)
    with torch.no_grad():
        logits = model(torch.randn(len(masks), 3, *masks.shape[1:]))
        loss = task.loss(smoothing=smoothing, name=name, class_weights=class_weights)
        measured = float(loss(logits, torch.from_numpy(masks)).mean())
    told = task.initial_loss(smoothing=smoothing, name=name, class_weights=class_weights)
    assert told == pytest.approx(measured, rel=1e-5)
    assert torch.equal(logits[0, :, 0, 0], task.constant())


def test_what_is_left_out_is_taken_from_the_pixels() -> None:
    """A task of classes and pixels alone knows its prior, its loss, its weights and its trivial answers."""
    bare = Segmentation(classes=CLASSES, pixels=(600, 300, 100))
    assert bare.initial_loss() == pytest.approx(-(0.6 * np.log(0.6) + 0.3 * np.log(0.3) + 0.1 * np.log(0.1)), rel=1e-3)
    assert 0.6 < bare.initial_loss(name="dice") < 0.7
    for name in CLASS_WEIGHTS:
        weights = bare.class_weights(name)
        assert weights is None or np.dot(weights, [0.6, 0.3, 0.1]) == pytest.approx(1)
    assert len({each.value for each in bare.trivial(MASKS).values()}) == 1


def test_the_score_is_that_of_all_pixels() -> None:
    """Mean overlap pooled over images, held by its interval; the losses are the stored ones."""
    evidence = _evidence(2.0)
    confusions = evidence[:, :9].reshape(-1, 3, 3).sum(axis=0)
    score = TASK.score(evidence, MASKS)
    assert score.value == pytest.approx(float(mean_iou(confusions)))
    assert score.low < score.value < score.high
    assert TASK.losses(evidence, MASKS).tolist() == evidence[:, -2].tolist()
    assert TASK.temperature(evidence, MASKS) == 1


def test_gain_points_upwards() -> None:
    """The surer network gains over the other, and loses the other way round."""
    better, worse = _evidence(4.0), _evidence(1.0)
    gain = TASK.gain(better, worse, labels=MASKS)
    assert gain.value == pytest.approx(TASK.score(better, MASKS).value - TASK.score(worse, MASKS).value)
    assert gain.low > 0 > TASK.gain(worse, better, labels=MASKS).high


def test_place_alone_knows_more_than_the_majority() -> None:
    """Both references are measured on other masks, and the better one comes first."""
    fresh = _masks(seed=7)
    trivial = TASK.trivial(fresh)
    assert list(trivial) == ["position", "majority"]
    said = mask_confusions(np.zeros_like(fresh), fresh, classes=3).sum(axis=0)
    assert trivial["majority"].value == pytest.approx(float(mean_iou(said)))
    assert trivial["position"].value > trivial["majority"].value + 0.2
    assert TASK.trivial(fresh[:, ::2, ::2])["position"].value > 0.5


def test_summary_details_and_rows_survive_json() -> None:
    """Figures are plain JSON and agree with each other, the picture without label included."""
    evidence = _evidence(2.0)
    summary, details, rows = TASK.summary(evidence, MASKS), TASK.details(evidence, MASKS), TASK.judged(evidence, MASKS)
    assert json.loads(json.dumps([summary, details, rows], allow_nan=False)) == [summary, details, rows]
    assert summary["value"] == summary["mean_iou"] == pytest.approx(np.mean([c["iou"] for c in details["per_class"]]))
    assert summary["pixel_accuracy"] == details["pixel_accuracy"]
    assert np.sum(details["confusion"]["counts"]) == summary["pixels"] == sum(row["pixels"] for row in rows)
    assert summary["samples"] == len(rows) == 12
    assert rows[1]["mean_iou"] is None
    assert TASK.caption(rows[1])[0] == "no labels"
    assert TASK.caption(rows[0])[0].startswith("IoU ")


def test_hardest_images_are_those_of_least_overlap() -> None:
    """Worst first; the picture without label is not among them."""
    evidence = _evidence(1.5)
    rows, hardest = TASK.judged(evidence, MASKS), TASK.hardest(evidence, MASKS, count=20)
    overlaps = [rows[k]["mean_iou"] for k in hardest]
    assert overlaps == sorted(overlaps)
    assert sorted(hardest.tolist()) == [k for k in range(12) if k != 1]


def test_predictions_are_shares_of_a_mask() -> None:
    """Each row adds up to 1, and is what the mask of bytes holds."""
    outputs = np.random.default_rng(0).normal(size=(2, 3, 5, 7))
    masks, rows = TASK.masks(outputs), TASK.predicted(outputs)
    assert masks.dtype == np.uint8
    for mask, row in zip(masks, rows, strict=True):
        assert sum(row.values()) == pytest.approx(1, abs=1e-5)
        assert row["share.sky"] == pytest.approx((mask == 1).mean(), abs=1e-6)


def test_labels_are_spoken_by_their_largest_classes() -> None:
    """Two names for a street, none for a mask of nothing."""
    assert TASK.spoken(MASKS)[:2] == ["sky, road", "no labels"]


@pytest.mark.parametrize("task", [TASK, Segmentation(classes=CLASSES, pixels=(6, 3, 1))])
def test_description_makes_it_again(task: Segmentation) -> None:
    """Through JSON and back nothing is lost."""
    assert Segmentation.from_description(json.loads(json.dumps(task.describe(), allow_nan=False))) == task


def test_impossible_masks_are_refused() -> None:
    """One class, a foreign label, or no label at all."""
    for classes, masks in ((("a",), [[[0]]]), (CLASSES, [[[3]]]), (CLASSES, [[[255]]])):
        with pytest.raises(DataError, match="Expected"):
            Segmentation.of(classes, np.array(masks, np.uint8))


def test_street_scenes_beat_their_majority(shared_data: Path) -> None:
    """On CamVid the linear classifier of pixels is far above both answers that look at no image."""
    if not (shared_data / "camvid.zip").is_file():
        pytest.skip(f"no camvid.zip in {shared_data}")
    with zipfile.ZipFile(shared_data / "camvid.zip") as file:
        classes = file.read("classes.txt").decode().split()[:11]
        (pixels, masks), (fresh, truth) = (_camvid(file, split) for split in ("train", "val"))
    task = Segmentation.of(classes, masks)
    fitted = fit_pixels(pixels, masks, classes=11, mean=(0.4,) * 3, std=(0.3,) * 3, at_most=15_000)
    model = LinearPixels(3, 11, image_size=128)
    assert model.head.bias is not None
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(fitted.weight)[:, :, None, None])
        model.head.bias.copy_(torch.from_numpy(fitted.bias))
        images = (torch.from_numpy(fresh).permute(0, 3, 1, 2).float() / 255 - 0.4) / 0.3
        evidence = task.evidence(model(images), torch.from_numpy(truth)).numpy()
    score, trivial = task.score(evidence, truth), task.trivial(truth)
    assert score.low > 5 * trivial["majority"].high
    assert score.low > trivial["position"].high


def _camvid(file: zipfile.ZipFile, split: str) -> tuple[np.ndarray, np.ndarray]:
    names = sorted(name for name in file.namelist() if name.startswith(f"{split}/images/"))[::4]
    pixels, masks = [], []
    for name in names:
        with Image.open(io.BytesIO(file.read(name))) as picture:
            pixels.append(np.asarray(picture.convert("RGB").resize((128, 96), Image.Resampling.BOX)))
        with Image.open(io.BytesIO(file.read(name.replace("images", "masks").replace(".jpg", ".png")))) as mask:
            masks.append(np.asarray(mask.resize((128, 96), Image.Resampling.NEAREST)))
    labels = np.stack(masks).astype(np.uint8)
    return np.stack(pixels), np.where(labels == 11, 255, labels).astype(np.uint8)
