"""From the array of all pictures to normalised batches, in an order that depends on seed and epoch alone."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from epochal.data.ahead import ahead
from epochal.data.batch import Batch
from epochal.data.order import permutation
from epochal.data.sampling import drawn
from epochal.data.store import free_memory
from epochal.data.withheld import Labels
from epochal.errors import SettingError


class ArrayLoader:
    """Batches of normalised images from an 8-bit array, in memory or memory-mapped.

    The order of epoch e is a permutation made of (seed, e) alone, so `epoch(e, start=k)` gives exactly the batches
    that an uninterrupted epoch gives from its step k on. `batch_size` counts the samples of all processes together:
    rank r takes samples r, r + world_size, ... of each batch, so that together they see the batches of one process.

    Pixels are gathered as they lie, (n, h, w, c), and seen as (n, c, h, w): channels-last memory without a copy. Then
    `(x / 255 - mean) / std` in one multiplication and one addition.

    With `weights`, one for each row of `index`, an epoch has as many samples as ever, drawn with replacement in
    proportion to them (`epochal.data.sampling`).

    Shapes: images (N, h, w, c); labels (N,), (N, k) or (N, h, w); index: the n rows that are used; weights (n,).
    Units: mean and std from 0 to 1.
    Raises: SettingError if batch_size is below world_size, or rank is not below it, or weights come without shuffle or
    are not one for each row.

    >>> images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    >>> loader = ArrayLoader(images, np.arange(5), np.array([1, 3, 4]), batch_size=2, mean=[0.0], std=[1 / 255])
    >>> [batch.images.flatten().tolist() for batch in loader.epoch(0)], len(loader)
    ([[1.0, 3.0], [4.0]], 2)
    """

    def __init__(  # noqa: PLR0913, PLR0917 - here images, labels, rows and all settings are brought together
        self,
        images: UInt8[np.ndarray, "all h w c"],
        labels: Labels,
        index: Int[np.ndarray, " n"],
        *,
        batch_size: int,
        mean: Sequence[float] | np.ndarray,
        std: Sequence[float] | np.ndarray,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        rank: int = 0,
        world_size: int = 1,
        prefetch: bool | None = None,
        weights: Float[np.ndarray, " n"] | None = None,
    ) -> None:
        """Keep what is needed; nothing is read. `prefetch` None: a thread gathers ahead where that pays."""
        _refuse_ranks(batch_size, rank=rank, world_size=world_size)
        _refuse_weights(weights, len(index), shuffle=shuffle)
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.device = torch.device(device)
        self.dtype = dtype
        self.rank = rank
        self.world_size = world_size
        self.prefetch = _pays(images, self.device) if prefetch is None else prefetch
        self._images = images
        self._labels = kept_labels(labels)
        self._weights = weights
        self._index = np.asarray(index, dtype=np.int64)
        self._scale, self._shift = row_of_scales(mean, std, width=images.shape[2])
        self._scale, self._shift = self._scale.to(self.device), self._shift.to(self.device)

    def __len__(self) -> int:
        """Steps in an epoch; the last may be a partial one unless `drop_last`."""
        whole, rest = divmod(len(self._index), self.batch_size)
        return whole if self.drop_last or not rest else whole + 1

    @property
    def samples(self) -> int:
        """Samples of all processes together in an epoch."""
        return len(self) * self.batch_size if self.drop_last else len(self._index)

    def order(self, epoch: int) -> Int[np.ndarray, " n"]:
        """Rows of the table in the order in which epoch `epoch` visits them."""
        if not self.shuffle:
            return self._index
        if self._weights is not None:
            chosen: Int[np.ndarray, " n"] = self._index[drawn(self._weights, seed=self.seed, epoch=epoch)]
            return chosen
        order: Int[np.ndarray, " n"] = self._index[permutation(len(self._index), seed=self.seed, epoch=epoch)]
        return order

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Give the batches of epoch `number`, from step `start` on."""
        batches = self._batches(number, start=start)
        return ahead(batches, depth=2) if self.prefetch else batches

    def _batches(self, number: int, *, start: int) -> Iterator[Batch]:
        order = self.order(number)
        for step in range(start, len(self)):
            rows = order[step * self.batch_size : (step + 1) * self.batch_size][self.rank :: self.world_size]
            yield self.batch(rows, epoch=number)

    def batch(self, rows: Int[np.ndarray, " n"], *, epoch: int = 0) -> Batch:
        """Gather and normalise chosen rows of the table, such as the fixed batch that is watched through training.

        >>> images = np.full((3, 2, 2, 1), 255, np.uint8)
        >>> loader = ArrayLoader(images, np.arange(3), np.arange(3), batch_size=2, mean=[0.5], std=[0.25])
        >>> loader.batch(np.array([2])).images.flatten().tolist()
        [2.0, 2.0, 2.0, 2.0]
        """
        pixels = torch.from_numpy(np.take(self._images, rows, axis=0))
        labels, index = torch.from_numpy(self._labels[rows]), torch.from_numpy(np.array(rows, dtype=np.int64))
        if self.device.type == "cuda":
            # Pinned and 8 bits: the copy runs beside the computation and moves a quarter of the bytes.
            pixels, labels, index = pixels.pin_memory(), labels.pin_memory(), index.pin_memory()
        return Batch(
            images=normalized(
                pixels.to(self.device, non_blocking=True), scale=self._scale, shift=self._shift, dtype=self.dtype
            ),
            labels=labels.to(self.device, non_blocking=True),
            index=index.to(self.device, non_blocking=True),
            seed=self.seed,
            epoch=epoch,
        )


def _refuse_ranks(batch_size: int, *, rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size or batch_size < world_size:
        raise SettingError(
            f"batch_size is {batch_size}, rank {rank}, world_size {world_size}.",
            expected="at least one sample for each process, and ranks from 0 to below world_size.",
            remedy="raise batch_size, the number of samples of all processes together.",
        )


def _refuse_weights(weights: Float[np.ndarray, " n"] | None, count: int, *, shuffle: bool) -> None:
    if weights is None:
        return
    if not shuffle:
        raise SettingError(
            "weights are given and shuffle is False.",
            expected="shuffle=True: samples that are drawn by weight come in no order of their own.",
            remedy="leave the weights out where samples are judged, not taught.",
        )
    if len(weights) != count:
        raise SettingError(
            f"There are {len(weights):,} weights for {count:,} rows.",
            expected="one weight for each row of index.",
            remedy="make them from the labels of these rows: class_weights(samples.targets).",
        )


def kept_labels(labels: Labels) -> Labels:
    """Labels in the type in which they travel: whole numbers as int64, fractions as float32, masks as they are.

    >>> kept_labels(np.array([1, 2], np.int8)).dtype, kept_labels(np.zeros((2, 1))).dtype
    (dtype('int64'), dtype('float32'))
    """
    if labels.ndim == 3:
        return labels
    return np.asarray(labels, dtype=np.float32 if labels.dtype.kind == "f" else np.int64)


def row_of_scales(
    mean: Sequence[float] | np.ndarray, std: Sequence[float] | np.ndarray, *, width: int
) -> tuple[Float[Tensor, " row"], Float[Tensor, " row"]]:
    """Factors and summands for one row of interleaved pixels: `x * scale + shift = (x / 255 - mean) / std`.

    A whole row, since an inner loop over three channels cannot be vectorised. A channel that never changes (std 0) is
    divided by 1.

    Shapes: width times channels.

    >>> row_of_scales([0.5], [0.5], width=2)[1]
    tensor([-1., -1.])
    """
    means, stds = np.asarray(mean, dtype=np.float64), np.asarray(std, dtype=np.float64)
    stds = np.where(stds > 0, stds, 1.0)
    scale, shift = np.tile(1 / (255 * stds), width), np.tile(-means / stds, width)
    return torch.from_numpy(scale).float(), torch.from_numpy(shift).float()


def normalized(
    pixels: UInt8[Tensor, "n h w c"],
    *,
    scale: Float[Tensor, " row"],
    shift: Float[Tensor, " row"],
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "n c h w"]:
    """Turn 8-bit pixels into what a network expects; the memory stays as it is, which is channels-last.

    Computed in float32, rounded once to `dtype`.  Source: tips W2.1, W2.2.

    >>> scale, shift = row_of_scales([0.0], [1.0], width=1)
    >>> normalized(torch.tensor([[[[51]]]], dtype=torch.uint8), scale=scale, shift=shift)
    tensor([[[[0.2000]]]])
    """
    n, h, w, c = pixels.shape
    values = torch.addcmul(shift, pixels.view(n, h, w * c).to(torch.float32), scale)
    return values.to(dtype).view(n, h, w, c).permute(0, 3, 1, 2)


def _pays(images: UInt8[np.ndarray, "all h w c"], device: torch.device) -> bool:
    """A thread ahead pays where the device computes on its own, or where pixels must be fetched from a disk.

    Beside a network on the processor it only takes turns with it: `benchmarks/pipeline.py`.
    """
    return device.type == "cuda" or (images.base is not None and images.nbytes > free_memory())
