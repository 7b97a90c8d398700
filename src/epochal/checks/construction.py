"""Rules about how a network is built: layers in an order that harms, weights where they serve little.

Each names a building block that the guides advise against in general. Where yours is meant so, read on past a note.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from epochal.checks.architecture import Architecture, FlatHead, Kernel
from epochal.checks.listing import counted, named
from epochal.findings import Observation, Severity, rule

# Layers in a row without normalisation that learn digits as well as one does: three of sigmoid lose 29 points of
# accuracy, eight of tanh 8, as many as eight of ReLU do; behind a normalisation twelve of either lose at most 3
# (benchmarks/healthy/depth.md).
MOST_SIGMOIDS, MOST_TANHS = 2, 6
# Samples below which the statistics of a batch are too rough, as the guide has it (L1); Wu and He 2018, figure 1, see
# the error rise below 16 and leap below 8.
SMALLEST_BATCH = 10
LARGE = 5  # pixels; two 3x3 in a row see as far, with 18 weights in place of 25
# Weights below which a better shape saves nothing worth a word: the 5x5 of LeNet spare 672, its first linear layer has
# 48,000; the 5x5 of AlexNet spare 86,000, its first linear layer has 38 million.
WORTH_SPARING, WORTH_POOLING = 10_000, 100_000
KERNEL_SHARE = 0.1  # of all weights of convolutions; Inception has its few 5x5 below that
HEAD_SHARE = 0.5  # of all parameters


@rule("dropout-before-norm", code="EP240", severity=Severity.WARN, tips=["S16", "K4.7"])
def dropout_before_norm(network: Architecture) -> Iterator[Observation]:
    """Dropout runs before a normalisation whose running statistics it spoils.

    In training dropout lets activations vary more than in evaluation. The running variance is gathered in training, so
    in evaluation everything behind is scaled by too much, and accuracy is lost that training never shows. Put dropout
    behind the last normalisation, as most networks do. Dropping whole channels earlier is only a note: it does the
    same, and is often worth it all the same (L2).
    """
    for dropout in dict.fromkeys(dropout for _, dropout in network.dropout_first):
        norms = [norm for norm, before in network.dropout_first if before == dropout]
        yield Observation(
            dropout,
            f"runs before {named(norms)}, which keeps running statistics",
            expected="dropout behind the last of them.",
            remedy="move it in front of the last layer, or take GroupNorm.",
            severity=Severity.NOTE if dropout in network.channel_dropouts else None,
        )


@rule("small-batch-norm", code="EP241", severity=Severity.WARN, tips=["L1", "S14"])
def small_batch_norm(network: Architecture) -> Iterator[Observation]:
    """Normalisation by the statistics of a batch that is too small to have any.

    Mean and variance of few samples are rough guesses, other ones in each step, and evaluation uses an average of them
    that no training step has seen. From about ten samples on this is a welcome noise; below, divide the channels into
    groups (GroupNorm), or normalise each map by itself where the batch is a single sample (InstanceNorm).
    """
    if network.norms_over_batch and network.batch_size < SMALLEST_BATCH:
        yield Observation(
            named(network.norms_over_batch),
            f"{counted(len(network.norms_over_batch), 'normalisation')} over batches of {network.batch_size}",
            expected=f"{SMALLEST_BATCH} samples or more.",
            remedy="larger batches, or network.norm=by-batch-size; layers.norm_conversion changes a whole model.",
        )


@rule("saturating-activations", code="EP242", severity=Severity.WARN, tips=["W5.1", "S12"])
def saturating_activations(network: Architecture) -> Iterator[Observation]:
    """Many layers of sigmoid or tanh in a row, through which hardly any gradient comes back.

    A sigmoid passes at most a quarter of the gradient and next to none where it is saturated; tanh passes all of it
    near zero only. Two layers of sigmoid or six of tanh do little harm; more do, by measurement, unless a
    normalisation in front of each keeps its input near zero. Gates, whose output multiplies something, and a last layer
    that answers between 0 and 1 are not meant.
    """
    for kind, names, most in (("sigmoid", network.sigmoids, MOST_SIGMOIDS), ("tanh", network.tanhs, MOST_TANHS)):
        if len(names) > most:
            yield Observation(
                named(names),
                f"{len(names)} hidden layers of {kind}, with no normalisation in front of them",
                expected=f"{most} at most.",
                remedy="ReLU, or a normalisation in front of each.",
                severity=Severity.NOTE if kind == "tanh" else None,
            )


@rule("symmetric-units", code="EP243", severity=Severity.ERROR, tips=["W3.1"])
def symmetric_units_stay(network: Architecture) -> Iterator[Observation]:
    """Units of a layer begin as copies of each other and stay copies: the layer is no wider than one of them.

    Weights that are all zero, or all the same, give each unit the same output and the same gradient, for ever. Layers
    that begin at zero for good reason, such as the last one or the end of a residual branch, part within a few steps,
    and are not meant: what stands here was alike at the start and still is after three steps.
    """
    for layer, copies in network.alike:
        yield Observation(
            layer,
            f"{counted(copies, 'unit')} still like another after three steps",
            expected="units that begin apart.",
            remedy="random weights: He's before rectifiers, Xavier's before tanh or sigmoid.",
        )


@rule("large-kernels", code="EP244", severity=Severity.NOTE, tips=["W4.2"])
def large_kernels(network: Architecture) -> Iterator[Observation]:
    """Large windows behind the first layer, where several small ones see as far, for fewer weights.

    Two 3x3 convolutions in a row see 5x5 pixels with 18 weights in place of 25 for each pair of channels, three see 7x7
    with 27 in place of 49, and each brings one more activation. The first layer, windows with a stride, those as large
    as the map and those that see few channels each (depthwise) are not meant, nor ones that hold few weights.
    """
    total = sum(each.weights for each in network.kernels)
    large = [each for each in network.kernels if _is_large(each)]
    spared = sum(each.weights - _small_instead(each) for each in large)
    share = sum(each.weights for each in large) / total if total else 0.0
    if share > KERNEL_SHARE and spared >= WORTH_SPARING:
        windows = sorted({"x".join(map(str, each.window)) for each in large})
        yield Observation(
            named([each.name for each in large]),
            f"windows of {named(windows)} hold {share:.0%} of the convolutions' weights",
            expected="windows of 3x3 behind the first layer.",
            remedy=f"3x3 in a row, which see as far and spare {spared:,} weights.",
        )


@rule("large-dense-head", code="EP245", severity=Severity.NOTE, tips=["K4.5"])
def large_dense_head(network: Architecture) -> Iterator[Observation]:
    """Most parameters lie in one linear layer behind a flattened map, where a mean over the map would serve.

    Such a layer learns for each place anew what to look for, and learns it by heart. Global average pooling asks what
    is there and not where, takes images of any size, and leaves a small fraction of the weights. Keep the places where
    the answer is one: the position of something.
    """
    head = network.head
    if head is None or head.weights < WORTH_POOLING or head.weights <= HEAD_SHARE * network.parameters:
        return
    places = "x".join(map(str, head.places))
    yield Observation(
        head.name,
        f"{head.weights:,} of {network.parameters:,} parameters, behind a flattened map of {head.channels}x{places}",
        expected=f"less than {HEAD_SHARE:.0%} of them.",
        remedy=(
            "global average pooling before it, which leaves "
            f"{head.weights // prod(head.places):,}; epochal.models.rewrite does that."
        ),
    )


@rule("bias-before-norm", code="EP246", severity=Severity.NOTE, tips=["L1"])
def bias_before_norm(network: Architecture) -> Iterator[Observation]:
    """A bias that the normalisation behind it takes away again.

    Batch and instance normalisation subtract the mean of each channel, and a constant with it: the bias gets no
    gradient, costs memory traffic in each step, and is pulled to zero by weight decay. The normalisation has its own.
    """
    if network.wasted_biases:
        yield Observation(
            named([layer for layer, _ in network.wasted_biases]),
            f"{counted(len(network.wasted_biases), 'bias', plural='biases')} right before a normalisation, "
            f"such as {network.wasted_biases[0][1]}",
            expected="none.",
            remedy="bias=False.",
        )


@rule("norms-decayed", code="EP247", severity=Severity.NOTE, tips=["W6.1", "K4.8"])
def norms_decayed(network: Architecture) -> Iterator[Observation]:
    """Weight decay pulls norms and biases to zero, which it is not for.

    Decay keeps the function smooth by keeping weights small. A bias says where a unit begins and the factor of a
    normalisation how strong its signal is: small values of these are no smoother function, and with a strong decay
    signals fade.
    """
    if network.decayed:
        yield Observation(
            named(network.decayed),
            f"{counted(len(network.decayed), 'norm, bias or slope', plural='norms, biases and slopes')} with decay",
            expected="decay of weights alone.",
            remedy="two groups of parameters, as epochal.optim.groups.split parts them; optimizer.build does that.",
        )


def _is_large(kernel: Kernel) -> bool:
    exempt = kernel.first or kernel.covering or kernel.grouped or kernel.stride > 1
    return not exempt and len(kernel.window) > 1 and min(kernel.window) >= LARGE


def _small_instead(kernel: Kernel) -> int:
    """Weights of the windows of three in a row that see as far, with as many channels."""
    pairs, axes = kernel.weights // prod(kernel.window), len(kernel.window)
    return pairs * (max(kernel.window) // 2) * int(3**axes)


_PLAIN = Architecture(batch_size=128, parameters=1_000_000, norms_over_batch=("norm1", "norm2"))
_FIVE = Kernel(name="conv2", window=(5, 5), stride=1, weights=307_200)
_STEM = Kernel(name="conv1", window=(7, 7), stride=1, weights=9_408, first=True)
_THREE = Kernel(name="conv3", window=(3, 3), stride=1, weights=500_000)
_FLAT = FlatHead(name="fc1", weights=900_000, channels=64, places=(7, 7))

dropout_before_norm.fires_on(
    "between two convolutions", lambda: replace(_PLAIN, dropout_first=(("norm2", "drop"),))
).fires_on(
    "of whole channels, a note",
    lambda: replace(_PLAIN, dropout_first=(("norm2", "drop"),), channel_dropouts=("drop",)),
).silent_on("none, or behind the last norm", lambda: _PLAIN)
small_batch_norm.fires_on("batches of 4", lambda: replace(_PLAIN, batch_size=4)).silent_on(
    "batches of 10", lambda: replace(_PLAIN, batch_size=10)
).silent_on("groups", lambda: replace(_PLAIN, batch_size=1, norms_over_batch=()))
saturating_activations.fires_on("three of sigmoid", lambda: replace(_PLAIN, sigmoids=("a", "b", "c"))).fires_on(
    "eight of tanh", lambda: replace(_PLAIN, tanhs=tuple("abcdefgh"))
).silent_on("LeNet's two", lambda: replace(_PLAIN, sigmoids=("a", "b"))).silent_on(
    "six of tanh", lambda: replace(_PLAIN, tanhs=tuple("abcdef"))
)
symmetric_units_stay.fires_on("zeros", lambda: replace(_PLAIN, alike=(("conv1", 63), ("conv2", 63)))).silent_on(
    "random weights", lambda: _PLAIN
)
large_kernels.fires_on("5x5 in the middle", lambda: replace(_PLAIN, kernels=(_STEM, _FIVE, _THREE))).silent_on(
    "a large stem", lambda: replace(_PLAIN, kernels=(_STEM, _THREE))
).silent_on("few weights", lambda: replace(_PLAIN, kernels=(replace(_FIVE, weights=2_400),))).silent_on(
    "depthwise", lambda: replace(_PLAIN, kernels=(replace(_FIVE, grouped=True),))
).silent_on("as large as the map", lambda: replace(_PLAIN, kernels=(replace(_FIVE, covering=True),))).silent_on(
    "one among many of 3x3", lambda: replace(_PLAIN, kernels=(_FIVE, replace(_THREE, weights=9_000_000)))
)
large_dense_head.fires_on("most of the network", lambda: replace(_PLAIN, head=_FLAT)).silent_on(
    "a small part", lambda: replace(_PLAIN, head=replace(_FLAT, weights=200_000))
).silent_on("LeNet's", lambda: replace(_PLAIN, parameters=61_706, head=replace(_FLAT, weights=48_000))).silent_on(
    "pooled", lambda: _PLAIN
)
bias_before_norm.fires_on(
    "two", lambda: replace(_PLAIN, wasted_biases=(("conv1", "norm1"), ("conv2", "norm2")))
).silent_on("none", lambda: _PLAIN)
norms_decayed.fires_on("one group of all", lambda: replace(_PLAIN, decayed=("norm1.weight", "norm1.bias"))).silent_on(
    "weights alone", lambda: _PLAIN
)

ARCHITECTURE_RULES = (
    symmetric_units_stay, small_batch_norm, saturating_activations, dropout_before_norm, large_dense_head,
    large_kernels, bias_before_norm, norms_decayed,
)  # fmt: skip
