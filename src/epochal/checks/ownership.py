"""Rules about who gets a gradient and who is stepped, and the evidence that they judge. Reaches no tensor."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite

from epochal.checks.listing import counted, named
from epochal.findings import Observation, Severity, rule

# Gradient of the first weights over that of the last, root mean square. Chosen, not measured: float32 carries seven
# digits, so beyond these ratios one rate cannot serve both ends.
VANISHED, EXPLODED = 1e-6, 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The parameters of a model by what one backward pass and the optimizer do with them; names only."""

    trainable: tuple[str, ...]
    frozen: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()  # trainable, and no gradient arrives
    still: tuple[str, ...] = ()  # weights whose gradient is exactly zero
    broken: tuple[str, ...] = ()  # NaN or infinite gradient
    outside: tuple[str, ...] = ()  # trainable, reached, and not in the optimizer
    strangers: int = 0  # tensors in the optimizer that the model does not have
    twice: tuple[str, ...] = ()  # more than once in the optimizer
    frozen_inside: tuple[str, ...] = ()  # frozen, and in the optimizer all the same
    first_over_last: float = 1.0  # gradient of the first weights over that of the last
    loss_moves: bool = True  # the loss hangs on some weight
    last_batch: int = 0  # samples in the last batch of an epoch
    flat_norms: tuple[str, ...] = ()  # batch normalisations of one value for each sample and channel


@rule("nothing-trains", code="EP260", severity=Severity.ERROR, tips=["K2.8"])
def nothing_trains(seen: Ownership) -> Iterator[Observation]:
    """No parameter can change: all are frozen, or the loss does not hang on any.

    `requires_grad=False` for everything, head included, is the usual slip in fine-tuning. Otherwise a `detach`,
    `no_grad`, `.item()`, `argmax` or a trip through numpy stands between the weights and the loss.
    """
    if not seen.trainable and seen.frozen:
        yield Observation(
            "the model",
            f"all {len(seen.frozen)} parameters are frozen",
            expected="some that train.",
            remedy="set requires_grad of the head, at least.",
        )
    elif seen.trainable and (not seen.loss_moves or set(seen.unreached) == set(seen.trainable)):
        yield Observation(
            "the loss",
            "no gradient reaches any parameter",
            expected="a loss that hangs on the weights.",
            remedy="look for detach, no_grad, item, argmax or numpy between the model and the loss.",
        )


@rule("unused-parameters", code="EP261", severity=Severity.WARN, tips=["K2.12"])
def unused_parameters(seen: Ownership) -> Iterator[Observation]:
    """Parameters that train, by their flag, and that the loss does not hang on.

    A layer is made and never called, its result is thrown away, or a `detach` cuts it off. The network is smaller than
    it looks.
    """
    if seen.unreached and seen.loss_moves and set(seen.unreached) != set(seen.trainable):
        yield Observation(
            named(seen.unreached),
            f"no gradient for {counted(len(seen.unreached), 'parameter')} of {len(seen.trainable)}",
            expected="a gradient for each.",
            remedy="use the layer in forward, remove it, or freeze it on purpose.",
        )


@rule("parameters-outside-optimizer", code="EP262", severity=Severity.ERROR, tips=["K2.8"])
def outside_optimizer(seen: Ownership) -> Iterator[Observation]:
    """Parameters get gradients, and no optimizer ever steps them.

    A layer was replaced or added after the optimizer was built, layers lie in a plain list, or only a part was handed
    over. What is meant to stay should be frozen, which also saves its backward pass.
    """
    if seen.outside and not (seen.strangers and set(seen.outside) == set(seen.trainable)):
        yield Observation(
            named(seen.outside),
            f"{counted(len(seen.outside), 'parameter')} of {len(seen.trainable)} outside the optimizer",
            expected="every trainable parameter in it.",
            remedy="build the optimizer last, from model.parameters(); freeze what is to stay.",
        )


@rule("optimizer-of-another-model", code="EP263", severity=Severity.ERROR, tips=["K2.8"])
def another_model(seen: Ownership) -> Iterator[Observation]:
    """The optimizer holds tensors that are not this model's: it steps something else.

    The model was built, copied or loaded anew after the optimizer was made, so the optimizer trains its predecessor.
    """
    if seen.strangers:
        alone = set(seen.outside) == set(seen.trainable)
        yield Observation(
            "the optimizer",
            f"{counted(seen.strangers, 'tensor')} that the model does not have" + (", and none of its own" * alone),
            expected="the parameters of this model.",
            remedy="build the optimizer after the model.",
            severity=None if alone else Severity.WARN,
        )


@rule("parameter-owned-twice", code="EP264", severity=Severity.ERROR)
def owned_twice(seen: Ownership) -> Iterator[Observation]:
    """A parameter is in the optimizer more than once, and takes as many steps at a time.

    Shared weights, listed under both of their names.
    """
    if seen.twice:
        yield Observation(
            named(seen.twice),
            f"{counted(len(seen.twice), 'parameter')} more than once in the optimizer",
            expected="once.",
            remedy="model.parameters() names each once.",
        )


@rule("frozen-in-optimizer", code="EP265", severity=Severity.NOTE)
def frozen_in_optimizer(seen: Ownership) -> Iterator[Observation]:
    """Frozen parameters that were handed to the optimizer: they cost nothing, and stay as they are.

    Where they were meant to train, this is the fault.
    """
    if seen.frozen_inside and seen.trainable:
        yield Observation(
            named(seen.frozen_inside),
            f"{counted(len(seen.frozen_inside), 'frozen parameter')} in the optimizer",
            expected="trainable ones only.",
            remedy="hand over those with requires_grad, or unfreeze these.",
        )


@rule("dead-start", code="EP266", severity=Severity.ERROR, tips=["W5.1", "S12"])
def dead_start(seen: Ownership) -> Iterator[Observation]:
    """Weights whose gradient is exactly zero on a whole batch, before the first step: nothing will move them.

    All units of a ReLU layer are negative for every sample, or a saturated activation passes nothing. Behind a layer
    that begins at zero on purpose gradients arrive with the second step; that is allowed for.
    """
    if seen.still and not seen.broken:
        yield Observation(
            named(seen.still),
            f"a gradient of exactly 0 for {counted(len(seen.still), 'parameter')}",
            expected="above 0 somewhere.",
            remedy="He's initialisation, scaled inputs, a normalisation, or a leaky activation.",
        )


@rule("vanishing-gradient", code="EP267", severity=Severity.WARN, tips=["W3.2", "W5.1", "S12"])
def vanishing_gradient(seen: Ownership) -> Iterator[Observation]:
    """The gradient of the first layer is a millionth of that of the last: the first will not learn.

    Initial weights too small for the depth, or many sigmoids in a row. Each layer multiplies; He's or Xavier's
    initialisation keeps the factor near 1, normalisation restores it.
    """
    if isfinite(seen.first_over_last) and 0 < seen.first_over_last < VANISHED:
        yield _ratio(seen, "larger initial weights (He's, Xavier's), ReLU in place of sigmoid, or a normalisation.")


@rule("exploding-gradient", code="EP268", severity=Severity.WARN, tips=["W3.2", "S12"])
def exploding_gradient(seen: Ownership) -> Iterator[Observation]:
    """Gradients are NaN or infinite, or those of the first layer a million times those of the last.

    Initial weights too large for the depth, an exponential as activation, or a loss that takes the logarithm of zero.
    """
    if seen.broken:
        yield Observation(
            named(seen.broken),
            f"NaN or infinite gradients in {counted(len(seen.broken), 'parameter')}",
            expected="finite ones.",
            remedy="look for exp, log, division or a root at zero; smaller initial weights.",
            severity=Severity.ERROR,
        )
    elif seen.first_over_last > EXPLODED:
        yield _ratio(seen, "smaller initial weights, a bounded activation, or a normalisation.")


@rule("last-batch-of-one", code="EP269", severity=Severity.ERROR, tips=["L1"])
def last_batch_of_one(seen: Ownership) -> Iterator[Observation]:
    """The last batch of an epoch is a single sample, of which batch normalisation cannot take a variance.

    Training stops there with an error, at the end of the first epoch.
    """
    if seen.last_batch == 1 and seen.flat_norms:
        yield Observation(
            named(seen.flat_norms),
            "the last batch holds one sample",
            expected="two or more.",
            remedy="DataLoader(..., drop_last=True), or another batch size.",
        )


def _ratio(seen: Ownership, remedy: str) -> Observation:
    return Observation(
        "the gradients",
        f"those of the first weights are {seen.first_over_last:.1g} of those of the last",
        expected=f"{VANISHED:.0e} to {EXPLODED:.0e}.",
        remedy=remedy,
    )


_GOOD = Ownership(trainable=("a.weight", "a.bias", "b.weight"))

nothing_trains.fires_on("all frozen", lambda: replace(_GOOD, trainable=(), frozen=("a.weight",))).fires_on(
    "detached", lambda: replace(_GOOD, loss_moves=False)
).silent_on("all train", lambda: _GOOD).silent_on("a frozen body", lambda: replace(_GOOD, frozen=("c.weight",)))
unused_parameters.fires_on("a layer never called", lambda: replace(_GOOD, unreached=("b.weight",))).silent_on(
    "all used", lambda: _GOOD
)
outside_optimizer.fires_on("a new head", lambda: replace(_GOOD, outside=("b.weight",))).silent_on(
    "all inside", lambda: _GOOD
)
another_model.fires_on("built before", lambda: replace(_GOOD, strangers=3, outside=_GOOD.trainable)).fires_on(
    "another one's as well, a warning", lambda: replace(_GOOD, strangers=3)
).silent_on("its own", lambda: _GOOD)
owned_twice.fires_on("tied weights listed twice", lambda: replace(_GOOD, twice=("a.weight",))).silent_on(
    "once", lambda: _GOOD
)
frozen_in_optimizer.fires_on("a frozen body", lambda: replace(_GOOD, frozen_inside=("c.weight",))).silent_on(
    "none", lambda: _GOOD
)
dead_start.fires_on("dead units", lambda: replace(_GOOD, still=("a.weight",))).silent_on("alive", lambda: _GOOD)
vanishing_gradient.fires_on("far too small", lambda: replace(_GOOD, first_over_last=1e-9)).silent_on(
    "even", lambda: _GOOD
).silent_on("eighteen layers of tanh", lambda: replace(_GOOD, first_over_last=1e-3))
exploding_gradient.fires_on("NaN", lambda: replace(_GOOD, broken=("a.weight",))).fires_on(
    "far too large", lambda: replace(_GOOD, first_over_last=1e9)
).silent_on("even", lambda: _GOOD)
last_batch_of_one.fires_on("65 samples by 64", lambda: replace(_GOOD, last_batch=1, flat_norms=("norm",))).silent_on(
    "one sample, no such normalisation", lambda: replace(_GOOD, last_batch=1)
).silent_on("two", lambda: replace(_GOOD, last_batch=2, flat_norms=("norm",)))

RULES = (
    nothing_trains, another_model, outside_optimizer, owned_twice, unused_parameters, dead_start, exploding_gradient,
    vanishing_gradient, last_batch_of_one, frozen_in_optimizer,
)  # fmt: skip
