"""Every optimizer, schedule and average by name, each with its usual settings, on the same small task.

python benchmarks/optimizers.py        about ten minutes on one core; writes results/optimizers.md
"""

import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "healthy"))

import programs  # noqa: E402
from programs import Data, cifar, write  # noqa: E402

from epochal.data.loader import ArrayLoader  # noqa: E402
from epochal.models.resnet import fit_stem_, resnet  # noqa: E402
from epochal.optim import optimizer, shapes  # noqa: E402
from epochal.optim.plateau import Plateau  # noqa: E402
from epochal.optim.scaling import scaled_lr  # noqa: E402
from epochal.optim.usual import usual  # noqa: E402
from epochal.recipe.recipe import Recipe  # noqa: E402
from epochal.stages.choices import average_for, loss_for, optimizer_for, schedule_for  # noqa: E402
from epochal.tasks.classification import Classification  # noqa: E402
from epochal.training.environment import seed_everything  # noqa: E402
from epochal.training.evaluation import predict  # noqa: E402
from epochal.training.loop import Update, train  # noqa: E402
from epochal.training.pace import FixedSteps  # noqa: E402
from epochal.training.runtime import Runtime  # noqa: E402
from epochal.transforms.geometry import HorizontalFlip, Translate  # noqa: E402

TRAIN, HELD_OUT, BATCH, EPOCHS, WIDTH, SEEDS = 4000, 2000, 64, 5, 16, 1
STEPS = EPOCHS * (TRAIN // BATCH)
LOOKS = 12
FACTORS = (0.1, 1.0, 4.0)  # of the usual rate


def main() -> None:
    """Measure and write the table."""
    torch.set_num_threads(1)
    data = cifar(TRAIN + HELD_OUT)
    rows = []
    for name in optimizer.NAMES:
        rows.append([name, "", *_row(data, _recipe(name))])
        for factor in FACTORS:
            if factor != 1:
                lr = _recipe(name).optimizer.lr * factor
                rows.append([name, f"rate x {factor:g}", *_row(data, _recipe(name, **{"optimizer.lr": lr}))])
    for name in shapes.NAMES:
        short = {} if name in {"linear", "cosine", "polynomial", "one-cycle"} else {"schedule.warmup": 0.05}
        more = {"schedule.name": name, "schedule.patience": 1, **short}
        rows.append(["sgd", f"schedule {name}", *_row(data, _recipe("sgd", **more))])
    rows += [
        ["sgd", f"averaging {name}", *_row(data, _recipe("sgd", **{"averaging.name": name}))]
        for name in ("swa", "none")
    ]
    programs.HERE = HERE / "results"
    write(
        "optimizers",
        title="Optimizers, schedules and averages by name",
        columns=["optimizer", "what differs", "rate", "held-out accuracy, each seed", "its loss", "CPU ms a step"],
        rows=rows,
        note=(
            f"{TRAIN:,} images of CIFAR-10, {STEPS} steps of {BATCH}, the residual network of width {WIDTH}, "
            f"{HELD_OUT:,} held-out images of the training split (good to about 2 points), {SEEDS} seed(s), "
            "bfloat16. A rate x 1 is the usual one, which a run has where nothing else is set; sgd's is the recipe's. "
            "Written by benchmarks/optimizers.py."
        ),
    )


def _recipe(name: str, **more: Any) -> Recipe:
    """The recipe as the train stage would settle it for this batch and so many steps."""
    known = usual(name)
    changes: dict[str, Any] = {
        "optimizer.name": name, "optimizer.batch_size": BATCH, "averaging.decay": 1 - 20 / STEPS,
        "optimizer.lr": 1.5 / 1024 * BATCH,
    }  # fmt: skip
    if name != "sgd":
        rate = known.lr
        if known.rule is not None:
            rate = scaled_lr(known.lr, batch_size=BATCH, tuned_at=known.batch_size, rule=known.rule)
        changes |= {
            "optimizer.lr": rate, "optimizer.momentum": known.momentum or 0.0,
            "optimizer.weight_decay": known.weight_decay, "optimizer.norm_bias_lr": 1.0,
        }  # fmt: skip
    if name == "schedule-free":
        changes |= {"schedule.name": "constant", "schedule.warmup": 0.05, "averaging.name": "none"}
    return Recipe().replace(changes | more)


def _row(data: Data, recipe: Recipe) -> list[object]:
    found = [_trained(data, recipe, seed=seed) for seed in range(SEEDS)]
    shares = ", ".join(f"{share:.1%}" for share, _, _ in found)
    row = [f"{recipe.optimizer.lr:.3g}", shares, f"{np.mean([loss for _, loss, _ in found]):.3f}"]
    return [*row, f"{min(cost for _, _, cost in found):.1f}"]


def _trained(data: Data, recipe: Recipe, *, seed: int) -> tuple[float, float, float]:
    """Accuracy and loss on the held-out images, and milliseconds of CPU time that a step takes."""
    seed_everything(seed)
    pixels = (data.pixels.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    mean, std = data.mean.flatten().tolist(), data.std.flatten().tolist()

    def loader(rows: np.ndarray, *, shuffle: bool) -> ArrayLoader:
        return ArrayLoader(
            pixels, data.labels.numpy(), rows, batch_size=BATCH if shuffle else 500, mean=mean, std=std, seed=seed,
            shuffle=shuffle, drop_last=shuffle,
        )  # fmt: skip

    rows = np.arange(len(pixels))
    learnt, held = loader(rows[HELD_OUT:], shuffle=True), loader(rows[:HELD_OUT], shuffle=False)
    task = Classification.of([str(k) for k in range(10)], data.labels.numpy()[HELD_OUT:])
    model = resnet(3, task.outputs, image_size=data.side, width=WIDTH)
    fit_stem_(model, learnt.batch(rows[HELD_OUT:]).images)
    task.prepare_(model)
    runtime = Runtime(autocast_dtype=torch.bfloat16, channels_last=True)
    runtime.place(model)
    moved, schedule = optimizer_for(recipe, model), schedule_for(recipe)
    pace = FixedSteps(STEPS)
    average = average_for(
        recipe, model, optimizer=moved, progress=lambda: pace.progress,
        images=lambda: [learnt.batch(rows[HELD_OUT:][:2000]).images],
    )  # fmt: skip
    update = Update(
        loss=loss_for(recipe, task), optimizer=moved, schedule=schedule, after_update=(average,),
        transforms=(HorizontalFlip(alternating=True), Translate(reach=2)),
    )  # fmt: skip
    spent, began = 0.0, time.process_time()
    for step in train(model, learnt, update=update, runtime=runtime, pace=pace):
        spent += time.process_time() - began
        if isinstance(schedule, Plateau) and step.number % (STEPS // LOOKS) == 0:
            with average.applied(model):
                outputs = cast("Tensor", predict(model, held, runtime=runtime).outputs)
                schedule.observe(
                    float(task.losses(outputs.numpy(), data.labels[:HELD_OUT].numpy()).mean()), progress=pace.progress
                )
        began = time.process_time()
    with average.applied(model):
        outputs = predict(model, held, runtime=runtime).outputs.numpy()
    labels = data.labels[:HELD_OUT].numpy()
    return task.score(outputs, labels).value, float(task.losses(outputs, labels).mean()), 1e3 * spent / STEPS


if __name__ == "__main__":
    main()
