"""Layers against their peers in one run: CPU time of a forward, and of a forward and backward pass.

    OMP_NUM_THREADS=1 python benchmarks/blocks/layers.py

Writes benchmarks/results/blocks-layers.md. Ours and the peers take turns, one after another in each round; medians are
told. Gradients are dense: a bare sum hands pooling a gradient of stride 0, whose copying would be measured.
"""

import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from epochal.layers.convolution import separable
from epochal.layers.dropout import DropPathResidual, SpatialDropout, add_drop_path
from epochal.layers.normalization import LayerNormPerPixel, normalization
from epochal.layers.pooling import GlobalAverageHead, PyramidPooling, SpatialPyramidPooling
from epochal.layers.pyramid import AtrousPyramid, FeaturePyramid
from epochal.models.pool_order import pool_before_relu

ROUNDS, SEED = 15, 0
RESULTS = Path(__file__).resolve().parent.parent / "results" / "blocks-layers.md"
Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to measure: ours, the peers by name, and the shape they see."""

    name: str
    shape: tuple[int, ...]
    ours: Run
    peers: dict[str, Run]


def cases() -> Iterator[Case]:
    """Every block that has a peer in what is installed; timm's where it can be imported."""
    norm, drop = (16, 128, 28, 28), (32, 256, 28, 28)
    yield Case(
        name="instance norm",
        shape=norm,
        ours=normalization("instance", 128),
        peers={"nn.InstanceNorm2d": nn.InstanceNorm2d(128, affine=True), "nn.GroupNorm(C)": nn.GroupNorm(128, 128)},
    )
    yield Case(
        name="group norm", shape=norm, ours=normalization("group", 128), peers={"nn.GroupNorm": nn.GroupNorm(32, 128)}
    )
    yield Case(
        name="batch norm", shape=norm, ours=normalization("batch", 128), peers={"nn.BatchNorm2d": nn.BatchNorm2d(128)}
    )
    yield Case(name="layer norm per pixel", shape=norm, ours=LayerNormPerPixel(128), peers=_layer_norms())
    yield Case(name="SpatialDropout", shape=drop, ours=SpatialDropout(0.2), peers={"nn.Dropout2d": nn.Dropout2d(0.2)})
    yield Case(
        name="drop path and add",
        shape=drop,
        ours=lambda x: add_drop_path(x, x, drop_prob=0.2),
        peers={"multiply, then add": _drop_then_add, **_timm_drop_path()},
    )
    branch = nn.Conv2d(128, 128, 3, padding=1)
    yield Case(
        name="residual block, half dropped",
        shape=norm,
        ours=DropPathResidual(branch, drop_prob=0.5, skip=True),
        peers={"without skipping": DropPathResidual(branch, drop_prob=0.5)},
    )
    yield Case(
        name="spatial pyramid pooling",
        shape=(16, 256, 13, 13),
        ours=SpatialPyramidPooling(),
        peers={"nn.AdaptiveMaxPool2d x 4": _adaptive},
    )
    ppm = PyramidPooling(256).eval()
    yield Case(name="pyramid pooling module", shape=(4, 256, 32, 32), ours=ppm, peers={"written with torch": _ppm(ppm)})
    aspp = AtrousPyramid(128, 64, rates=(2, 4, 6)).eval()
    yield Case(name="ASPP", shape=(4, 128, 16, 16), ours=aspp, peers={"written with torch": _aspp(aspp)})
    fpn = FeaturePyramid([64], 64)
    yield Case(
        name="FPN, one level",
        shape=(4, 64, 32, 32),
        ours=lambda x: fpn([x])[0],
        peers={
            "written with torch": lambda x: F.conv2d(
                _conv(fpn.lateral[0], x), _weight(fpn.smooth[0]), _bias(fpn.smooth[0]), padding=1
            )
        },
    )
    head = GlobalAverageHead(512, 100)
    yield Case(
        name="global average head",
        shape=(64, 512, 7, 7),
        ours=head,
        peers={"AdaptiveAvgPool2d, Flatten, Linear": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head.linear)},
    )
    yield Case(
        name="separable 3x3, 256 channels",
        shape=(16, 256, 14, 14),
        ours=separable(256, 256),
        peers={"nn.Conv2d": nn.Conv2d(256, 256, 3, padding=1)},
    )
    for name, block, shape in (
        (
            "pool before ReLU, stem",
            nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
            (8, 3, 112, 112),
        ),
        (
            "pool before ReLU, 3x3",
            nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2)),
            (32, 3, 32, 32),
        ),
    ):
        done = pool_before_relu(block, torch.randn(shape))
        yield Case(name=name, shape=shape, ours=done.model, peers={"ReLU first": block})


def _layer_norms() -> dict[str, Run]:
    layer = nn.LayerNorm(128)
    peers: dict[str, Run] = {"permute, nn.LayerNorm": lambda x: layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)}
    try:
        from timm.layers import LayerNorm2d
    except (ImportError, RuntimeError) as missing:
        print(f"timm is left out: {missing}")
    else:
        peers["timm LayerNorm2d"] = LayerNorm2d(128)
    return peers


def _timm_drop_path() -> dict[str, Run]:
    try:
        from timm.layers import DropPath
    except (ImportError, RuntimeError):
        return {}
    layer = DropPath(0.2)
    return {"timm DropPath": lambda x: x + layer(x)}


def _drop_then_add(x: Tensor) -> Tensor:
    return x + x * x.new_empty(len(x), 1, 1, 1).bernoulli_(0.8).div_(0.8)


def _adaptive(x: Tensor) -> Tensor:
    return torch.cat([F.adaptive_max_pool2d(x, bins).flatten(1) for bins in (1, 2, 3, 6)], 1)


def _conv(unit: nn.Module, x: Tensor, *, dilation: int = 1) -> Tensor:
    weight = _weight(unit)
    return F.conv2d(x, weight, _bias(unit), padding=dilation * (weight.shape[2] // 2), dilation=dilation)


def _weight(unit: nn.Module) -> Tensor:
    return unit.get_parameter("conv.weight")


def _bias(unit: nn.Module) -> Tensor | None:
    return dict(unit.named_parameters()).get("conv.bias")


def _unit(unit: nn.Module, x: Tensor, *, dilation: int = 1) -> Tensor:
    return F.relu(unit.get_submodule("norm")(_conv(unit, x, dilation=dilation)))


def _ppm(ours: PyramidPooling) -> Run:
    def run(x: Tensor) -> Tensor:
        size, out = x.shape[2:], [x]
        for bins, branch in zip((1, 2, 3, 6), ours.branches, strict=True):
            out.append(F.interpolate(_unit(branch, F.adaptive_avg_pool2d(x, bins)), size=size, mode="bilinear"))
        return torch.cat(out, 1)

    return run


def _aspp(ours: AtrousPyramid) -> Run:
    def run(x: Tensor) -> Tensor:
        whole = F.interpolate(_unit(ours.image, F.adaptive_avg_pool2d(x, 1)), size=x.shape[2:], mode="bilinear")
        parts = [_unit(ours.place, x), *(_unit(b, x, dilation=r) for b, r in zip(ours.atrous, ours.rates, strict=True))]
        return _unit(ours.joint, torch.cat([*parts, whole], 1))

    return run


def measure(case: Case, *, channels_last: bool) -> list[str]:
    """One row of the table for each peer."""
    torch.manual_seed(SEED)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.randn(case.shape).contiguous(memory_format=layout).requires_grad_()
    runs = {"ours": case.ours, **case.peers}
    for run in runs.values():
        if isinstance(run, nn.Module):
            run.to(memory_format=layout)
    forward: dict[str, list[float]] = {name: [] for name in runs}
    both: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(ROUNDS + 2):
        for name, run in runs.items():
            started = time.process_time()
            with torch.no_grad():
                out = run(x)
            middle = time.process_time()
            upstream = torch.ones_like(out).contiguous(
                memory_format=layout if out.ndim == 4 else torch.contiguous_format
            )
            again = time.process_time()
            torch.autograd.grad(run(x), x, upstream)
            if number >= 2:
                forward[name].append(middle - started)
                both[name].append(time.process_time() - again)
    ours = [statistics.median(times["ours"]) * 1e3 for times in (forward, both)]
    rows = []
    for name in case.peers:
        peer = [statistics.median(times[name]) * 1e3 for times in (forward, both)]
        told = " | ".join(f"{p:.2f} / {o:.2f} | {p / o:.2f}" for p, o in zip(peer, ours, strict=True))
        rows.append(f"| {case.name} | {'x'.join(map(str, case.shape))} | {name} | {told} |")
    return rows


def main() -> None:
    """Measure everything and write the page."""
    about = [
        f"Written by `benchmarks/blocks/layers.py`. {_cpu()}, {torch.get_num_threads()} thread,",
        f"torch {torch.__version__}, Python {platform.python_version()}, seed {SEED}, median of {ROUNDS} rounds that",
        "alternate, CPU time in ms, float32, on a machine with other work. Ratio: peer over ours, above 1 we are",
        "faster; below 15 % it is noise here.",
        f"Not installed, so not compared: {', '.join(_absent()) or 'none'}.",
    ]
    lines = ["# Layers against their peers", "", *about, ""]
    for channels_last in (False, True):
        lines += [f"## {'channels_last' if channels_last else 'NCHW'}", "",
                  "| block | shape | peer | forward, peer / ours | ratio | forward and backward | ratio |",
                  "|---|---|---|---:|---:|---:|---:|"]  # fmt: skip
        for case in cases():
            lines += measure(case, channels_last=channels_last)
            print(lines[-1])
        lines.append("")
    RESULTS.write_text("\n".join(lines), encoding="utf-8")


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        if info.exists()
        else []
    )
    return names[0] if names else "unknown processor"


def _absent() -> list[str]:
    installed = {each.metadata["Name"].lower() for each in importlib.metadata.distributions()}
    return [name for name in ("timm", "kornia", "torchvision") if name not in installed]


if __name__ == "__main__":
    main()
