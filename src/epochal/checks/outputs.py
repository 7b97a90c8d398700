"""Rules about how outputs, loss and targets fit together, and the evidence that they judge. Reaches no tensor."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from epochal.findings import Observation, Severity, rule

# Share of targets outside what the outputs can reach, above which it is no outlier.
OUTSIDE = 0.01
# Root mean square of targets that an Adam of 1e-3 would take 100,000 steps to reach.
FAR = 100.0
ON_LOGITS = frozenset({"cross-entropy", "binary-cross-entropy-with-logits"})
ON_VALUES = frozenset({"squared-error", "absolute-error", "smooth-absolute-error"})
ON_PROBABILITIES = frozenset({"binary-cross-entropy", "cross-entropy-of-probabilities"})
BINARY = frozenset({"binary-cross-entropy", "binary-cross-entropy-with-logits"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Outputs, loss and targets of a program, in plain facts.

    `reach` is the range of the outputs over weights drawn anew several times, up to very large ones: what the
    last operation lets through, whatever the network learns. `rows_sum_to_one` is the same of the sum over classes.
    """

    loss: str  # "" where it is none that is known
    reduction: str
    output_shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    reach: tuple[float, float]
    moves: bool  # whether anything that the weights do changes the output
    rows_sum_to_one: bool
    are_log_probabilities: bool
    target_low: float
    target_high: float
    target_rms: float
    target_kinds: int  # different values
    whole_targets: bool  # every target is a whole number
    outside: float  # share of targets outside `reach`


@rule("double-softmax", code="EP250", severity=Severity.ERROR, tips=["K2.4", "K2.8"])
def double_softmax(fit: Fit) -> Iterator[Observation]:
    """The network ends in a softmax, and the loss applies another.

    `CrossEntropyLoss` takes raw logits. Probabilities given in their place lie between 0 and 1, so the second softmax
    can never answer with more than e / (e + classes - 1): the loss has a floor it cannot pass, gradients are small, and
    training is slow and stops early. Remove the softmax from the network; apply it where you need probabilities.
    """
    if fit.loss == "cross-entropy" and fit.rows_sum_to_one:
        yield Observation(
            "the last layer",
            "outputs between 0 and 1 that add up to 1, into a cross-entropy that applies a softmax",
            expected="raw logits.",
            remedy="remove the softmax from the network, or take NLLLoss of the logarithms.",
        )


@rule("squashed-logits", code="EP251", severity=Severity.ERROR, tips=["K2.8", "W5.1"])
def squashed_logits(fit: Fit) -> Iterator[Observation]:
    """A sigmoid, tanh or ReLU stands in front of a loss that wants raw logits.

    A logit of 1 against 0 is as sure as such a network can be: 73 % between two classes. With a ReLU the answer cannot
    say no at all, and a unit that is negative gets no gradient. Losses on logits have their sigmoid or softmax inside,
    where it is exact. A tanh is a warning: with a factor behind it, as in networks that compare angles, it is meant.
    """
    low, high = fit.reach
    if fit.loss not in ON_LOGITS or fit.rows_sum_to_one or not fit.moves or (low < 0 and high > 1 + 1e-6):
        return
    if low >= -1 - 1e-6 and high <= 1 + 1e-6:
        kind = "between 0 and 1" if low >= 0 else "between -1 and 1"
    elif low >= 0:
        kind = "never below 0"
    else:
        return
    yield Observation(
        "the last layer",
        f"outputs {kind}, whatever the weights",
        expected="raw logits.",
        remedy="remove the activation behind the last layer.",
        severity=Severity.WARN if low < 0 else None,
    )


@rule("logits-as-probabilities", code="EP252", severity=Severity.ERROR, tips=["K2.4"])
def logits_as_probabilities(fit: Fit) -> Iterator[Observation]:
    """The loss takes probabilities or their logarithms, and gets raw outputs.

    `NLLLoss` merely picks the output of the true class: without a log-softmax it falls for ever, to minus infinity, and
    nothing is learnt. A cross-entropy of probabilities takes the logarithm of what may be negative.
    """
    if fit.loss == "negative-log-likelihood" and not fit.are_log_probabilities:
        yield _raw("logarithms of probabilities", "CrossEntropyLoss, or log_softmax behind the last layer.")
    elif fit.loss in ON_PROBABILITIES and (fit.reach[0] < -1e-6 or fit.reach[1] > 1 + 1e-6):
        yield _raw("probabilities", "the loss on logits: BCEWithLogitsLoss or CrossEntropyLoss.")


@rule("targets-out-of-reach", code="EP253", severity=Severity.ERROR, tips=["K2.4", "W5.1"])
def targets_out_of_reach(fit: Fit) -> Iterator[Observation]:
    """The last activation cannot produce the targets: a sigmoid for values beyond 1, a ReLU for negative ones.

    The loss falls to what the nearest reachable value leaves, and stays. Values without bounds need a linear output; or
    scale the targets into the range of the activation.
    """
    if fit.loss in ON_VALUES and fit.moves and fit.outside > OUTSIDE:
        yield Observation(
            "the last layer",
            f"outputs of {fit.reach[0]:.3g} to {fit.reach[1]:.3g} at most, {fit.outside:.0%} of the targets beyond",
            expected=f"a range that holds the targets, {fit.target_low:.3g} to {fit.target_high:.3g}.",
            remedy="no activation behind the last layer, or targets scaled into its range.",
        )


@rule("constant-output", code="EP254", severity=Severity.ERROR, tips=["K2.7"])
def constant_output(fit: Fit) -> Iterator[Observation]:
    """Whatever the weights and the input, the output is the same.

    A softmax over a single unit is 1, always: no gradient ever passes it. For two classes take one unit and a loss with
    a sigmoid inside, or two units and a cross-entropy; for values no activation at all.
    """
    if not fit.moves:
        one = fit.reach[0] == fit.reach[1] == 1 and fit.output_shape[-1:] == (1,)
        yield Observation(
            "the last layer",
            f"outputs of {fit.reach[0]:.3g} for every weight tried",
            expected="outputs that depend on weights and inputs.",
            remedy="remove the softmax over one unit." if one else "look for detach, a factor of 0, or a softmax.",
            cause="a softmax over a single unit is always 1" if one else "",
        )


@rule("shapes-broadcast", code="EP255", severity=Severity.ERROR, tips=["K2.10"])
def shapes_broadcast(fit: Fit) -> Iterator[Observation]:
    """Outputs of (n, 1) against targets of (n,): each is compared with every other, n times n.

    PyTorch stretches both to (n, n). The best answer is then the mean of all targets, for every sample, and the loss
    falls to their variance and stays, which looks like a weak model. Give both the same shape.
    """
    if fit.loss in ON_VALUES | BINARY and fit.output_shape != fit.target_shape:
        yield Observation(
            "the loss",
            f"outputs {fit.output_shape} against targets {fit.target_shape}",
            expected="equal shapes.",
            remedy="target[:, None], or output.squeeze(1).",
        )


@rule("targets-outside-loss", code="EP256", severity=Severity.ERROR, tips=["K1.2", "K2.10"])
def targets_outside_loss(fit: Fit) -> Iterator[Observation]:
    """Targets that a loss for probabilities cannot mean: below 0 or above 1.

    The loss has then no lower end, or rewards nonsense. One unit with a binary loss tells two classes apart, named 0
    and 1; three classes need three units and a cross-entropy; values need a squared error.
    """
    if fit.loss in BINARY | {"cross-entropy-of-probabilities"} and (fit.target_low < 0 or fit.target_high > 1):
        if fit.loss == "cross-entropy-of-probabilities" and len(fit.target_shape) == 1 and fit.whole_targets:
            return
        yield Observation(
            "the targets",
            f"{fit.target_low:.3g} to {fit.target_high:.3g}",
            expected="0 to 1.",
            remedy="one unit for each class and CrossEntropyLoss, or a squared error where targets are values.",
        )


@rule("loss-summed", code="EP257", severity=Severity.NOTE, tips=["K2.4"])
def loss_summed(fit: Fit) -> Iterator[Observation]:
    """The loss is the sum over the batch, so the right learning rate changes with the size of the batch.

    The last, smaller batch of an epoch takes smaller steps, and a rate from elsewhere is too high by the factor of the
    batch size. Average over the samples.
    """
    if fit.reduction == "sum":
        yield Observation("the loss", "a sum over the batch", expected="a mean.", remedy="reduction='mean'")


@rule("regression-loss-on-classes", code="EP258", severity=Severity.WARN, tips=["K2.4"])
def regression_loss_on_classes(fit: Fit) -> Iterator[Observation]:
    """The targets are classes, and the loss measures distances between numbers.

    An absolute error on targets of 0 and 1 has its optimum at the more frequent of them, so the network may learn to
    look at nothing; a squared error has the right optimum, and hardly any gradient where the network is surely wrong:
    a note. Cross-entropy has neither weakness.
    """
    classes = fit.whole_targets and fit.target_kinds == 2 and (fit.target_low, fit.target_high) == (0, 1)
    if fit.loss in ON_VALUES and classes:
        yield Observation(
            "the loss",
            f"{fit.loss.replace('-', ' ')} on targets that are 0 or 1",
            expected="a cross-entropy.",
            remedy="BCEWithLogitsLoss, or CrossEntropyLoss on class numbers.",
            severity=Severity.NOTE if fit.loss == "squared-error" else None,
        )


@rule("targets-not-scaled", code="EP259", severity=Severity.WARN, tips=["K2.5", "W2.2"])
def targets_not_scaled(fit: Fit) -> Iterator[Observation]:
    """Targets a hundred times larger than anything an untrained network says.

    The first gradients are as large as the targets, and steps of a usual rate are either much too long or, with Adam,
    far too short to ever arrive. Subtract the mean of the training targets and divide by their spread; undo it behind
    the network.
    """
    if fit.loss in ON_VALUES and fit.target_rms > FAR:
        yield Observation(
            "the targets",
            f"root mean square {fit.target_rms:.3g}",
            expected="about 1.",
            remedy="standardise the targets with the mean and the spread of the training split.",
        )


def _raw(expected: str, remedy: str) -> Observation:
    return Observation("the last layer", "raw outputs", expected=f"{expected}.", remedy=remedy)


_CLASSES = Fit(
    loss="cross-entropy", reduction="mean", output_shape=(32, 3), target_shape=(32,), reach=(-80.0, 75.0), moves=True,
    rows_sum_to_one=False, are_log_probabilities=False, target_low=0, target_high=2, target_rms=1.3, target_kinds=3,
    whole_targets=True, outside=0.0,
)  # fmt: skip
_VALUES = replace(
    _CLASSES, loss="squared-error", output_shape=(32, 1), target_shape=(32, 1), target_low=-2.0, target_high=2.2,
    target_rms=1.0, target_kinds=32, whole_targets=False,
)  # fmt: skip
_BINARY = replace(_VALUES, loss="binary-cross-entropy-with-logits", target_low=0, target_high=1, target_kinds=2)

double_softmax.fires_on("softmax and cross-entropy", lambda: replace(_CLASSES, reach=(0, 1), rows_sum_to_one=True))
double_softmax.silent_on("logits", lambda: _CLASSES).silent_on(
    "probabilities into a loss that wants them",
    lambda: replace(_CLASSES, loss="cross-entropy-of-probabilities", reach=(0, 1), rows_sum_to_one=True),
)
squashed_logits.fires_on("a sigmoid", lambda: replace(_CLASSES, reach=(0.0, 1.0))).fires_on(
    "a ReLU", lambda: replace(_CLASSES, reach=(0.0, 60.0))
).fires_on("a tanh, a warning", lambda: replace(_CLASSES, reach=(-1.0, 1.0))).silent_on("logits", lambda: _CLASSES)
logits_as_probabilities.fires_on(
    "NLLLoss on logits", lambda: replace(_CLASSES, loss="negative-log-likelihood")
).fires_on("probabilities wanted", lambda: replace(_BINARY, loss="binary-cross-entropy")).silent_on(
    "a log-softmax",
    lambda: replace(_CLASSES, loss="negative-log-likelihood", reach=(-90.0, 0.0), are_log_probabilities=True),
).silent_on("a sigmoid", lambda: replace(_BINARY, loss="binary-cross-entropy", reach=(0.0, 1.0)))
targets_out_of_reach.fires_on(
    "a sigmoid for values", lambda: replace(_VALUES, reach=(0.0, 1.0), outside=0.7)
).silent_on("a linear output", lambda: _VALUES)
constant_output.fires_on(
    "softmax over one unit", lambda: replace(_BINARY, reach=(1.0, 1.0), moves=False, rows_sum_to_one=True)
).silent_on("an output that moves", lambda: _BINARY)
shapes_broadcast.fires_on("a missing axis", lambda: replace(_VALUES, target_shape=(32,))).silent_on(
    "equal shapes", lambda: _VALUES
).silent_on("class numbers, which have no axis of classes", lambda: _CLASSES)
targets_outside_loss.fires_on("classes 0 to 2 for one unit", lambda: replace(_BINARY, target_high=2)).silent_on(
    "0 and 1", lambda: _BINARY
).silent_on("class numbers", lambda: replace(_CLASSES, loss="cross-entropy-of-probabilities"))
loss_summed.fires_on("a sum", lambda: replace(_VALUES, reduction="sum")).silent_on("a mean", lambda: _VALUES)
regression_loss_on_classes.fires_on(
    "absolute error", lambda: replace(_BINARY, loss="absolute-error", whole_targets=True)
).fires_on("squared error, a note", lambda: replace(_BINARY, loss="squared-error", whole_targets=True)).silent_on(
    "values", lambda: _VALUES
).silent_on("a cross-entropy", lambda: replace(_BINARY, whole_targets=True))
targets_not_scaled.fires_on("prices", lambda: replace(_VALUES, target_rms=250_000.0)).silent_on(
    "standardised", lambda: _VALUES
)

RULES = (
    constant_output, double_softmax, squashed_logits, logits_as_probabilities, targets_out_of_reach, shapes_broadcast,
    targets_outside_loss, regression_loss_on_classes, targets_not_scaled, loss_summed,
)  # fmt: skip
