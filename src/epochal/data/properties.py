"""What a table says about the pictures as a whole."""

from epochal.data.table import SampleTable
from epochal.stats.moments import Moments


def channel_moments(table: SampleTable, split: str | None = "train") -> Moments:
    """Mean and standard deviation of each channel over all pixels of a split (of everything with None).

    All pictures have the same number of pixels once decoded, so those of the whole follow exactly from those of each
    picture, and no pixel is read again: the variance is the mean of the variances plus the variance of the means.

    Units: 0 to 1.  Source: Chan, Golub and LeVeque 1979, eq. 2.1 for equal parts; tips W2.1, W2.2.

    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> digits = scan(open_source("digits"), cache=False)
    >>> moments = channel_moments(digits.table, None)
    >>> pixels = digits.images.array / 255
    >>> moments.mean.round(6) == pixels.mean().round(6), moments.std.round(6) == pixels.std().round(6)
    (array([ True]), array([ True]))
    """
    rows = table.index(split)
    channels = table.means.shape[1]
    if not len(rows):
        return Moments.empty(channels)
    means, stds = table.means[rows], table.stds[rows]
    mean = means.mean(axis=0)
    variance = (stds**2).mean(axis=0) + ((means - mean) ** 2).mean(axis=0)
    count = len(rows) * table.size[0] * table.size[1]
    return Moments(
        count=count,
        mean=mean,
        deviations=variance * count,
        lowest=table.lows[rows].min(axis=0) / 255,
        highest=table.highs[rows].max(axis=0) / 255,
    )
