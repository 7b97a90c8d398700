"""Forward passes that are watched, or end early: what a module gives, without a change to the network around it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError


def stopped(network: nn.Module, images: Tensor, *, at: str, entering: bool = False) -> Tensor:
    """Give what leaves the module `at`, or enters it, and spare the rest of the forward pass.

    While the pass is recorded for an export it goes on to its end: what is not needed falls away there.

    Raises: SettingError if the module has no part in it.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> stopped(network, torch.ones(1, 1, 2, 2), at="1", entering=True)
    tensor([[1., 1., 1., 1.]])
    """
    found: list[Tensor] = []

    def reach(tensor: object) -> None:
        said = first_tensor(tensor)
        assert said is not None, at
        found.append(said)
        if not torch.compiler.is_compiling():  # what records a pass does not survive an exception in it
            raise _Reached

    module = network.get_submodule(at)
    if entering:
        hook = module.register_forward_pre_hook(lambda _module, inputs: reach(inputs))
    else:
        hook = module.register_forward_hook(lambda _module, _inputs, output: reach(output))
    try:
        with suppress(_Reached):
            network(images)
    finally:
        hook.remove()
    if found:
        return found[0]
    raise SettingError(
        f"{at} has no part in the forward pass of {type(network).__name__}.",
        expected="a module that is used.",
        remedy="take one of the stages that `anatomy` finds.",
    )


def idle_behind(network: nn.Module, image: Float[Tensor, "1 c h w"], *, at: str) -> list[str]:
    """Name the outermost modules that a forward pass which ends at `at` never enters.

    >>> idle_behind(nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(4, 2))), torch.ones(1, 1, 2, 2), at="0")
    ['1']
    """
    entered: set[str] = set()
    with watched(network, enters=entered.add, leaves=_nothing), still(network), torch.no_grad():
        stopped(network, image, at=at)
    idle: list[str] = []
    for name, module in network.named_modules():
        # a list of modules is never entered itself, and a module may use what its own parts hold
        above = any(name.startswith(f"{outer}.") for outer in [*idle, *_leaves_among(entered)])
        inside = any(used == name or used.startswith(f"{name}.") for used in entered)
        if name and not above and not inside and any(True for _ in (*module.parameters(), *module.buffers())):
            idle.append(name)
    return idle


class PassedBy(nn.Module):
    """Stands where a part of a network was that is not needed: hands on what it gets.

    >>> PassedBy()(torch.ones(1), torch.zeros(1), mask=None)
    tensor([1.])
    """

    def forward(self, x: Tensor, *_others: object, **_options: object) -> Tensor:
        """Give the first of the inputs."""
        return x


@contextmanager
def still(network: nn.Module) -> Iterator[None]:
    """Evaluate inside; every module's mode and the random state are as before afterwards.

    >>> layer = nn.Dropout()
    >>> with still(layer): layer.training
    False
    >>> layer.training
    True
    """
    modes = [(module, module.training) for module in network.modules()]
    try:
        for module, _ in modes:
            module.training = False
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def watched(
    network: nn.Module, *, enters: Callable[[str], None], leaves: Callable[[str, object], None]
) -> Iterator[None]:
    """Call `enters` and `leaves` with the name of each module of `network` as a pass enters and leaves it.

    >>> seen, network = [], nn.Sequential(nn.Flatten(), nn.ReLU())
    >>> with watched(network, enters=seen.append, leaves=lambda name, _output: seen.append(f"{name} left")):
    ...     _ = network(torch.ones(1, 2))
    >>> seen
    ['0', '0 left', '1', '1 left']
    """
    hooks = []
    for name, module in network.named_modules():
        if name:
            hooks.append(module.register_forward_pre_hook(lambda _module, _inputs, name=name: enters(name)))
            hooks.append(module.register_forward_hook(lambda _module, _inputs, output, name=name: leaves(name, output)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def first_tensor(output: object) -> Tensor | None:
    """What a module hands on: some give their state, or weights of attention, beside it.

    >>> first_tensor((torch.ones(1), None)), first_tensor("no tensor")
    (tensor([1.]), None)
    """
    said = output[0] if isinstance(output, tuple) and output else output
    return said if isinstance(said, Tensor) else None


class _Reached(Exception):
    """No error: how a forward pass is ended early."""


def _leaves_among(names: set[str]) -> list[str]:
    return [name for name in names if not any(other.startswith(f"{name}.") for other in names)]


def _nothing(_name: str, _output: object) -> None:
    return
