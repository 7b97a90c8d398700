"""Facts about telling films from other pictures."""

from pathlib import Path

import numpy as np
import pytest

from epochal.data.frames import FEWEST, neighbours, thumbnails
from epochal.data.scan import Scan, scan
from epochal.data.sources import open_source
from epochal.data.split import assign_splits
from pictures import encoded, folder_of, picture

SIZE = 32


def film(count: int, *, seed: int = 0, step: float = 1.0) -> list[np.ndarray]:
    """Frames of a camera that moves over noise, `step` pixels from one to the next."""
    scene = np.random.default_rng(seed).normal(128, 60, (SIZE // 4, SIZE // 4 + int(count * step) // 4 + 2))
    wide = np.kron(scene, np.ones((4, 4))).clip(0, 255).astype(np.uint8)
    return [wide[:, int(number * step) : int(number * step) + SIZE] for number in range(count)]


def scanned(frames: list[np.ndarray], top: Path, *, order: np.ndarray | None = None) -> Scan:
    """Frames of two classes as files, in their order or another."""
    from PIL import Image

    shown = range(len(frames)) if order is None else order.tolist()
    half = len(frames) // 2
    files = {
        f"{'a' if number < half else 'b'}/f{number}.png": encoded(Image.fromarray(frames[at]))
        for number, at in enumerate(shown)
    }
    return scan(open_source(folder_of(files, top)), cache=False)


def test_a_film_is_known_and_a_shuffled_one_is_none(tmp_path: Path) -> None:
    """The same frames are a film in their order, and are none in another."""
    frames = film(120)
    ordered = scanned(frames, tmp_path / "film")
    order = np.random.default_rng(1).permutation(120)
    shuffled = scanned(frames, tmp_path / "shuffled", order=order)
    found = neighbours(ordered.table, ordered.images.array)
    assert found.frames
    assert found.pairs == 118
    assert not neighbours(shuffled.table, shuffled.images.array).frames


def test_copies_are_no_film(tmp_path: Path) -> None:
    """Exact copies that follow each other are left out; without them nothing is left to be alike."""
    frames = [np.asarray(picture(number // 3, side=SIZE)) for number in range(90)]
    found = scanned(frames, tmp_path)
    measured = neighbours(found.table, found.images.array)
    assert not measured.frames
    assert measured.pairs < 40


def test_few_pairs_say_nothing(tmp_path: Path) -> None:
    """With fewer than twenty pairs nothing is claimed, and with constant pictures neither."""
    few = scanned(film(FEWEST), tmp_path / "few")
    assert not neighbours(few.table, few.images.array).frames
    flat = scanned([np.full((SIZE, SIZE), number, np.uint8) for number in range(60)], tmp_path / "flat")
    assert neighbours(flat.table, flat.images.array).ratio == 1.0


def test_thumbnails_are_means_of_fields() -> None:
    """Each value is the mean of a field; then all have mean 0 and deviation 1, whatever brightness and contrast."""
    images = np.random.default_rng(0).integers(0, 200, (3, 16, 24, 3), dtype=np.uint8)
    expected = images.astype(float).sum(3).reshape(3, 8, 2, 8, 3).mean((2, 4)).reshape(3, -1)
    expected = (expected - expected.mean(1, keepdims=True)) / expected.std(1, keepdims=True)
    np.testing.assert_allclose(thumbnails(images, np.arange(3)), expected, atol=1e-9)
    brighter = thumbnails(images + np.uint8(50), np.arange(3))
    np.testing.assert_allclose(brighter, expected, atol=1e-9)
    assert thumbnails(images[:, :5, :3], np.array([1])).shape == (1, 15)
    assert not thumbnails(np.full((1, 8, 8, 1), 7, np.uint8), np.array([0])).any()


@pytest.mark.parametrize(
    ("name", "films"), [("camvid.zip", True), ("needle.zip", False), ("digits", False), ("cifar10.zip", False)]
)
def test_real_films_and_others(shared_data: Path, name: str, *, films: bool) -> None:
    """CamVid is a film at one frame a second; needle, digits and CIFAR-10 are none."""
    found = scan(open_source(name if name == "digits" else shared_data / name), size=32)
    measured = neighbours(found.table, found.images.array)
    assert measured.frames == films, measured.sentence()


def test_runs_of_a_film_leave_few_neighbours_across(shared_data: Path) -> None:
    """Carved in runs, few test frames of CamVid have a neighbour in train; carved one by one, nearly all have."""
    found = scan(open_source(shared_data / "camvid.zip"), size=64)
    shares = []
    for films in (True, False):
        codes = assign_splits(found.table, seed=0, films=films).split_codes
        test = np.flatnonzero(codes == 3)
        beside = [any(codes[row + side] == 1 for side in (-1, 1) if row + side < len(codes)) for row in test]
        shares.append(np.mean(beside))
    assert shares[0] < 0.25
    assert shares[1] > 0.9
