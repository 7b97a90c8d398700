"""Pooling before the rectifier: three quarters of a ReLU's work saved in a finished network, nothing else changed (L8).

    max over a window of max(x, 0)  =  max(max over the window of x, 0)

The two orders give the same numbers, and the same gradients: where the window's maximum is above 0 both send the
gradient to it, elsewhere both send none. That holds bit for bit for ReLU and ReLU6, ties and NaN included. Leaky and
smooth activations differ in the last bits or do not commute at all, and average pooling never does.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, fx, nn

from epochal.models.rewrite import Rewrite, differences

_POOLS = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d
)  # fmt: skip
_POOL_FUNCTIONS = (
    F.max_pool1d, F.max_pool2d, F.max_pool3d, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d,
    torch.max_pool1d, torch.max_pool2d, torch.max_pool3d,
)  # fmt: skip
_INDEXED = (
    F.max_pool1d_with_indices, F.max_pool2d_with_indices, F.max_pool3d_with_indices,
    F.adaptive_max_pool1d_with_indices, F.adaptive_max_pool2d_with_indices, F.adaptive_max_pool3d_with_indices,
)  # fmt: skip
_AVERAGES = (
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.LPPool1d, nn.LPPool2d, nn.LPPool3d,
)  # fmt: skip
_AVERAGE_FUNCTIONS = (
    F.avg_pool1d, F.avg_pool2d, F.avg_pool3d, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d,
    F.lp_pool1d, F.lp_pool2d,
)  # fmt: skip
_RECTIFIERS = (nn.ReLU, nn.ReLU6)
_RECTIFIER_FUNCTIONS = (F.relu, torch.relu, torch.relu_, F.relu_, F.relu6)
_FRESH = (  # what these give is a tensor of its own, which an in-place rectifier may overwrite
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm,
)  # fmt: skip
_UNLIKE = (
    nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Sigmoid,
    nn.Tanh, nn.Softplus,
)  # fmt: skip
_RANDOM = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


def pool_before_relu(model: nn.Module, images: Float[Tensor, "n c h w"]) -> Rewrite:
    """Swap each ReLU (or ReLU6) with the max pooling that follows it, and prove on `images` that nothing else changed.

    The result is a traced network that shares all parameters and modules with the given one: their state dicts are
    alike and an optimizer goes on working. Where nothing can be swapped, the given network itself comes back. Each
    pooling behind a rectifier that is left as it is has its reason: indices asked for, another user of the rectified
    map, hooks, a module used in several places, an average, or an in-place rectifier whose input others may see.

    Worth it on CPUs with maps that lie channels_last (1.0 to 1.25 times the speed of the block, nothing otherwise);
    compilers fuse convolution and ReLU, and can lose by it: `epochal.models.rewrite.compare` measures.

    A network that cannot be traced comes back with that as the reason.

    Source: `benchmarks/results/blocks-layers.md`; tip L8.

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
    >>> done = pool_before_relu(model, torch.randn(2, 3, 8, 8))
    >>> done.changed, done.exact, [type(layer).__name__ for layer in done.model.children()]
    (('2',), True, ['Conv2d', 'MaxPool2d', 'ReLU'])
    """
    graph = _traced(model)
    if isinstance(graph, str):
        return Rewrite(model=model, changed=(), refused={"": graph}, exact=True)
    modules = dict(model.named_modules(remove_duplicate=False))
    uses = Counter(id(modules[str(node.target)]) for node in graph.nodes if node.op == "call_module")
    changed, refused = [], {}
    for node in list(graph.nodes):
        place = str(node.target) if node.op == "call_module" else node.name
        reason = _verdict(node, modules, uses=uses)
        if reason is None:
            _swap(graph, node)
            changed.append(place)
        elif reason:
            refused[place] = reason
    if not changed:
        return Rewrite(model=model, changed=(), refused=refused, exact=True)
    rewritten = _module_of(model, graph)
    apart = differences(model, rewritten, images=images)
    if apart != (0.0, 0.0):
        reason = f"outputs and gradients differ by {apart[0]:.2g} and {apart[1]:.2g} of their largest"
        return Rewrite(model=model, changed=(), refused={**refused, **dict.fromkeys(changed, reason)}, exact=True)
    return Rewrite(model=rewritten, changed=tuple(changed), refused=refused, exact=True)


class _Tracer(fx.Tracer):
    """Looks into everything but torch's layers and ours, which look at shapes while they run."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Stop at layers."""
        return m.__module__.startswith("epochal.layers.") or super().is_leaf_module(m, module_qualified_name)


def _traced(model: nn.Module) -> fx.Graph | str:
    """Trace a network in both modes; say why not where that fails or where the two differ."""
    modes = {layer: layer.training for layer in model.modules()}
    try:
        graphs = [_Tracer().trace(model.train(mode)) for mode in (True, False)]
    except Exception as failure:  # noqa: BLE001  whatever a foreign forward does with a stand-in for a tensor
        return f"it cannot be traced ({type(failure).__name__}: {failure})"
    finally:
        for layer, mode in modes.items():
            layer.training = mode
    if str(graphs[0]) != str(graphs[1]):
        return "training and evaluation take different ways through it, and a traced network has one"
    leaves = tuple(str(node.target) for node in graphs[0].nodes if node.op == "call_module")
    entered = [
        (name, layer)
        for name, layer in model.named_modules()
        if not any(name == leaf or name.startswith(f"{leaf}.") for leaf in leaves)
    ]
    hooked = next((name for name, layer in entered if _hooked(layer)), None)
    if hooked is not None:
        return f"hooks hang on {hooked or 'the whole network'}, which a traced one would lose"
    return graphs[0]


def _verdict(node: fx.Node, modules: dict[str, nn.Module], *, uses: Counter[int]) -> str | None:
    """None where the node is a pooling to swap, "" where it is of no interest, else why it must stay."""
    pool, before = _what(node, modules), node.args[0] if node.args else None
    kind = _pool_kind(node, pool)
    if kind is None or not isinstance(before, fx.Node):
        return ""
    rectifier = _what(before, modules)
    if not _is_rectifier(rectifier):
        return _stranger(before, modules) if kind == "max" else ""
    if kind != "max":
        return "it averages, and an average does not commute with a rectifier" if kind == "average" else _INDICES
    source = before.args[0] if before.args else None
    if not isinstance(source, fx.Node):
        return "the rectifier's input is no tensor of the network"
    alone = len(source.users) == 1 and isinstance(_what(source, modules), _FRESH)
    if _overwrites(before, rectifier) and not alone:
        return "the rectifier works in place on a tensor that others may see"
    return next(_objections(node, before, layers=(pool, rectifier), uses=uses), None)


_INDICES = "its indices are asked for, which differ where a whole window is below 0"


def _objections(node: fx.Node, before: fx.Node, *, layers: tuple[object, object], uses: Counter[int]) -> Iterator[str]:
    """Say why a rectifier and the max pooling behind it must keep their order."""
    if len(before.users) > 1:
        yield "the rectified map has another user"
    for layer in layers:
        if isinstance(layer, nn.Module) and _hooked(layer):
            yield f"a hook hangs on its {type(layer).__name__}, and would see another map"
        if isinstance(layer, nn.Module) and uses[id(layer)] > 1:
            yield f"its {type(layer).__name__} is used in {uses[id(layer)]} places"
    if any(isinstance(each, fx.Node) for each in (*node.args[1:], *node.kwargs.values(), *before.args[1:])):
        yield "its sizes are computed while it runs"


def _stranger(before: fx.Node, modules: dict[str, nn.Module]) -> str:
    """Say why a max pooling stays where something like a rectifier is before it, but none."""
    layer = _what(before, modules)
    if isinstance(layer, _UNLIKE):
        return f"{type(layer).__name__} does not give the same bits in the other order"
    first = before.args[0] if before.args else None
    if isinstance(layer, _RANDOM) and isinstance(first, fx.Node) and _is_rectifier(_what(first, modules)):
        return f"{type(layer).__name__} stands between it and the rectifier"
    return ""


def _swap(graph: fx.Graph, pooling: fx.Node) -> None:
    """Put the pooling where the rectifier was, and the rectifier behind it."""
    rectifier = pooling.args[0]
    assert isinstance(rectifier, fx.Node)
    source = rectifier.args[0]
    with graph.inserting_before(rectifier):  # not later: something may overwrite the source in between
        pooled = graph.node_copy(pooling, lambda each: source if each is rectifier else each)
        rectified = graph.node_copy(rectifier, lambda each: pooled if each is source else each)
    pooling.replace_all_uses_with(rectified)
    graph.erase_node(pooling)
    graph.erase_node(rectifier)


def _module_of(model: nn.Module, graph: fx.Graph) -> fx.GraphModule:
    """A network of the new graph on the old modules, with those too that the graph does not use."""
    graph.lint()
    rewritten = fx.GraphModule(model, graph, class_name=type(model).__name__)
    for name, layer in model.named_modules(remove_duplicate=False):
        if name and not list(layer.children()) and not _has(rewritten, name):
            rewritten.add_submodule(name, layer)
    rewritten.training = model.training
    return rewritten


def _has(model: nn.Module, name: str) -> bool:
    return name in dict(model.named_modules(remove_duplicate=False))


def _what(node: fx.Node, modules: dict[str, nn.Module]) -> object:
    """The layer, function or method name that a node calls."""
    return modules[str(node.target)] if node.op == "call_module" else node.target


def _pool_kind(node: fx.Node, pool: object) -> Literal["max", "average", "indexed"] | None:
    if type(pool) in _POOLS:
        return "indexed" if getattr(pool, "return_indices", False) else "max"
    if type(pool) in _AVERAGES or pool in _AVERAGE_FUNCTIONS:
        return "average"
    if pool in _INDEXED or (pool in _POOL_FUNCTIONS and node.kwargs.get("return_indices")):
        return "indexed"
    return "max" if pool in _POOL_FUNCTIONS else None


def _is_rectifier(layer: object) -> bool:
    return type(layer) in _RECTIFIERS or layer in _RECTIFIER_FUNCTIONS or layer in {"relu", "relu_"}


def _overwrites(node: fx.Node, layer: object) -> bool:
    named = layer in {torch.relu_, F.relu_, "relu_"}
    return named or bool(getattr(layer, "inplace", False) or node.kwargs.get("inplace"))


def _hooked(layer: nn.Module) -> bool:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(len(getattr(layer, kind)) for kind in kinds)
