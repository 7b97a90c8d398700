"""Which curve rules speak on healthy runs, and on rates a hundredth to 300 times the usual, and on shuffled labels.

python benchmarks/healthy/curves.py        about ten minutes; writes curves.md
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from programs import Data, cifar, digits, networks, write

from epochal.history import History
from epochal.losses.classification import cross_entropy
from epochal.monitors.curves import RULES

USUAL = (("adam", 3e-4, "constant"), ("adam", 3e-3, "one cycle"), ("sgd", 0.1, "one cycle"), ("sgd", 0.02, "constant"))
FACTORS = (1, 30, 300, 0.01)


def main() -> None:
    """Train, judge after each epoch as the train stage does, and write the table."""
    torch.set_num_threads(1)
    rows = []
    for data, epochs, batch in ((digits(), 14, 64), (cifar(4900), 10, 128)):
        for optimizer, rate, schedule in USUAL:
            usual = Plan(optimizer=optimizer, rate=rate, schedule=schedule, epochs=epochs, batch=batch)
            for factor in FACTORS:
                curve = _train(data, replace(usual, rate=factor * rate))
                rows.append([data.name, optimizer, schedule, f"rate x {factor}", *_judged(curve)])
        slow = Plan(optimizer="adam", rate=3e-4, schedule="constant", epochs=epochs, batch=batch, shuffled=True)
        few = Plan(optimizer="adam", rate=1e-3, schedule="constant", epochs=60, batch=32, few=400)
        rows.append([data.name, "adam", "constant", "labels shuffled", *_judged(_train(data, slow))])
        rows.append([data.name, "adam", "constant", "320 samples, 60 epochs", *_judged(_train(data, few))])
    write(
        "curves",
        title="Rules over training curves",
        columns=[
            "data",
            "optimiser",
            "schedule",
            "program",
            "steps",
            "start",
            "highest of 5 / start",
            "end",
            "end / start",
            "best held-out",
            "last held-out",
            "findings, and after which share of the run",
        ],
        rows=rows,
        note="A small network of width 8, one seed each; judged after each epoch, as the train stage does.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one run is trained."""

    optimizer: str
    rate: float
    schedule: str
    epochs: int
    batch: int
    shuffled: bool = False
    few: int = 0


def _train(data: Data, plan: Plan) -> list[History]:
    torch.manual_seed(0)
    images, labels = data.images[: plan.few or None], data.labels[: plan.few or None].clone()
    n = len(labels) * 4 // 5
    if plan.shuffled:
        labels[:n] = labels[torch.randperm(n)]
    model = networks(data)["small, width 8"]()
    adam = plan.optimizer == "adam"
    made = (
        torch.optim.Adam(model.parameters(), lr=plan.rate)
        if adam
        else torch.optim.SGD(model.parameters(), lr=plan.rate, momentum=0.9, nesterov=True)
    )
    history, seen, total = History(), [], plan.epochs * (n // plan.batch)
    for step, rows in enumerate(_batches(n, batch=plan.batch, total=total)):
        t = step / total
        lr = plan.rate if plan.schedule == "constant" else plan.rate * min(t / 0.15, (1 - t) / 0.85)
        made.param_groups[0]["lr"] = lr
        loss = cross_entropy(model(images[rows]), labels[rows]).mean()
        made.zero_grad()
        loss.backward()
        made.step()
        history.append(step=step, loss=loss.item(), lr=lr)
        if (step + 1) % (n // plan.batch) == 0:
            model.eval()
            with torch.no_grad():
                history.append(step=step, val_loss=cross_entropy(model(images[n:]), labels[n:]).mean().item())
            model.train()
            seen.append(_copy(history))
    return seen


def _batches(n: int, *, batch: int, total: int) -> Iterator[torch.Tensor]:
    left = torch.zeros(0, dtype=torch.long)
    for _ in range(total):
        left = left if len(left) >= batch else torch.randperm(n)
        yield left[:batch]
        left = left[batch:]


def _copy(history: History) -> History:
    copy = History()
    for name in history.names():
        for step, value in zip(history.steps(name), history.values(name), strict=True):
            copy.append(step=step, **{name: value})
    return copy


def _judged(seen: list[History]) -> list[object]:
    found: dict[str, float] = {}
    for look, history in enumerate(seen, start=1):
        for rule in RULES:
            for finding in rule(history):
                found.setdefault(f"{finding.rule} ({finding.severity.value})", look / len(seen))
    loss, held = torch.tensor(seen[-1].values("loss")), seen[-1].values("val_loss")
    tenth = len(loss) // 10
    told = "; ".join(f"{name} at {share:.0%}" for name, share in found.items()) or "none"
    highest, start, end = float(loss.unfold(0, 5, 1).mean(1).max()), float(loss[0]), float(loss[-tenth:].mean())
    return [len(loss), start, highest / start, end, end / start, min(held), held[-1], told]


if __name__ == "__main__":
    main()
