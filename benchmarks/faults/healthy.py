"""Healthy training programs of many kinds, on which every finding but a note is a false alarm."""

from typing import Any

import numpy as np
import torch
from programs import Build, circle, cnn, diabetes, digits, glorot, mlp, noise, program, regression, standard
from sklearn import datasets
from torch import Tensor, nn


def residual(seed: int) -> dict[str, Any]:
    """A small residual network with batch normalisation, by SGD."""
    from epochal.models.resnet import resnet

    torch.manual_seed(seed)
    x, y = digits()
    x = nn.functional.interpolate(x, 32)
    model = resnet(1, 10, image_size=32, width=16)
    return program(model, x, y, loss=nn.CrossEntropyLoss(), lr=0.05, optimizer=torch.optim.SGD, momentum=0.9)


def logistic(seed: int) -> dict[str, Any]:
    """Logistic regression on the breast cancer table."""
    torch.manual_seed(seed)
    x, y = datasets.load_breast_cancer(return_X_y=True)
    target = torch.tensor(y[:, None], dtype=torch.float32)
    return program(nn.Linear(30, 1), standard(x), target, loss=nn.BCEWithLogitsLoss(), lr=1e-2)


def wine(seed: int) -> dict[str, Any]:
    """A network with dropout and weight decay that spares nothing, on wine."""
    torch.manual_seed(seed)
    x, y = datasets.load_wine(return_X_y=True)
    model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 3))
    return program(
        model, standard(x), torch.tensor(y), loss=nn.CrossEntropyLoss(label_smoothing=0.1), weight_decay=1e-4
    )


def many_labels(seed: int) -> dict[str, Any]:
    """Several labels for each sample, the loss in a lambda."""
    torch.manual_seed(seed)
    x, y = datasets.make_multilabel_classification(1000, n_features=20, n_classes=4, random_state=seed)
    target = torch.tensor(y, dtype=torch.float32)
    loss = lambda z, t: nn.functional.binary_cross_entropy_with_logits(z, t)  # noqa: E731, PLW0108 - as users write it
    return program(mlp(20, 50, 4), standard(x), target, loss=loss)


class Words(nn.Module):
    """Embedding and recurrence: token numbers in, classes out, in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.recurrence = nn.GRU(16, 32, batch_first=True)
        self.head = nn.Linear(32, 2)

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        """Logits of the last state."""
        return {"logits": self.head(self.recurrence(self.embedding(tokens))[0][:, -1])}


def words(seed: int) -> dict[str, Any]:
    """Which of two words comes more often in twelve."""
    source = np.random.default_rng(seed)
    torch.manual_seed(seed)
    tokens = source.integers(0, 50, (1000, 12))
    y = (tokens < 25).sum(1) > 6
    loss = lambda said, t: nn.functional.cross_entropy(said["logits"], t)  # noqa: E731
    return program(Words(), torch.tensor(tokens), torch.tensor(y.astype(np.int64)), loss=loss)


def autoencoder(seed: int) -> dict[str, Any]:
    """Digits through eight units and back."""
    torch.manual_seed(seed)
    x = digits()[0].flatten(1)
    return program(mlp(64, 32, 8, 32, 64), x, x.clone(), loss=nn.MSELoss())


def probabilities(seed: int) -> dict[str, Any]:
    """A log-softmax with the loss that wants it."""
    parts = cnn()(seed)
    parts["model"].append(nn.LogSoftmax(1))
    return {**parts, "loss": nn.NLLLoss()}


def robust(seed: int) -> dict[str, Any]:
    """Values by Huber's loss, with layer normalisation and AdamW."""
    torch.manual_seed(seed)
    x, y, _ = diabetes()
    model = nn.Sequential(nn.Linear(10, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 1))
    return program(model, x, y, loss=nn.SmoothL1Loss(), optimizer=torch.optim.AdamW)


def tuned(seed: int) -> dict[str, Any]:
    """A frozen body and a new head, the optimizer over the head alone."""
    parts = cnn()(seed)
    model = parts["model"]
    model.requires_grad_(requires_grad=False)
    model[-1].requires_grad_()
    return {**parts, "optimizer": torch.optim.Adam(model[-1].parameters(), lr=1e-3)}


def bounded(seed: int) -> dict[str, Any]:
    """Targets between 0 and 1, by a sigmoid that fits them."""
    torch.manual_seed(seed)
    x, _, raw = diabetes()
    y = (raw - raw.min()) / (raw.max() - raw.min())
    return program(mlp(10, 32, 1, act=nn.Tanh, last=nn.Sigmoid()), x, y, loss=nn.MSELoss())


def segmenting(seed: int) -> dict[str, Any]:
    """Every pixel of a digit: ink or paper."""
    torch.manual_seed(seed)
    x, _ = digits()
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 2, 3, padding=1))
    return program(model, x, (x[:, 0] > 0).long(), loss=nn.CrossEntropyLoss())


def seven_tanh(seed: int) -> dict[str, Any]:
    """AutoTrainer's healthy control: five layers of tanh."""
    return circle(5, nn.Tanh, weights=nn.init.xavier_uniform_)(seed)


HEALTHY: dict[str, Build] = {
    "residual network on digits": residual,
    "convolutions on digits": cnn(),
    "dense network on diabetes": regression(),
    "logistic regression": logistic,
    "dropout, decay and smoothing on wine": wine,
    "several labels, loss in a lambda": many_labels,
    "recurrent network on tokens, output in a dict": words,
    "autoencoder": autoencoder,
    "log-softmax with NLLLoss": probabilities,
    "Huber's loss, layer normalisation, AdamW": robust,
    "frozen body, new head": tuned,
    "sigmoid for targets of 0 to 1": bounded,
    "every pixel": segmenting,
    "circle, five layers of tanh": seven_tanh,
    "circle, one layer of ReLU": circle(1, nn.ReLU),
}
# Labels that are noise by design: the one right finding is that there is nothing to learn.
NOISE: dict[str, Build] = {"45337371 random labels, sigmoid": noise(nn.Sigmoid())}
__all__ = ["HEALTHY", "NOISE", "glorot"]
