"""What follows from the names in a recipe is settled with reasons; what contradicts itself is refused."""

from typing import Any

import numpy as np
import pytest

from epochal.errors import SettingError
from epochal.optim.optimizer import NAMES
from epochal.optim.usual import usual
from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from epochal.stages.settling import check_learning, settle_learning, settle_rate
from epochal.tasks.regression import Regression
from epochal.tasks.segmentation import Segmentation
from stages.conftest import Prepared
from stages.whole import copied, inspected_on


@pytest.fixture
def with_settings(prepared: Prepared, tmp_path: Any) -> Any:
    """A run whose user chose these keys, dots as double underscores."""

    def made(**chosen: Any) -> tuple[Session, Inspected]:
        return inspected_on(prepared.data, copied(prepared.folder, tmp_path / "run"), **chosen)

    return made


def test_the_default_recipe_is_left_alone(begun: tuple[Session, Inspected]) -> None:
    """Nothing about learning is decided where no name was chosen: every run trains as before there were names."""
    session, inspected = begun
    before = dict(session.recipe.items())
    settle_learning(session, inspected.task)
    assert dict(session.recipe.items()) == before


@pytest.mark.parametrize("name", [name for name in NAMES if name != "sgd"])
def test_another_optimizer_brings_its_own_settings(with_settings: Any, name: str) -> None:
    """Momentum, decay and the rate of norms were found for sgd: another name has its usual ones, with a source (L4)."""
    session, inspected = with_settings(optimizer__name=name)
    settle_learning(session, inspected.task)
    settle_rate(session, sgd_lr=0.5, batch_size=256)
    known, table = usual(name), session.recipe.optimizer
    assert table.lr == pytest.approx(known.lr)
    assert (table.weight_decay, table.norm_bias_lr) == (known.weight_decay, 1.0)
    assert table.momentum == (known.momentum or 0.0)
    event = session.journal.last("decision", key="optimizer.lr")
    assert event is not None
    assert known.source in event["reason"]


@pytest.mark.parametrize(("name", "rate"), [("adamw", 1e-3 * 0.5), ("muon", 0.02), ("adadelta", 1.0), ("sgd", 0.123)])
def test_rates_follow_the_batch_by_the_optimizers_rule(with_settings: Any, name: str, rate: float) -> None:
    """A quarter of the batch: half the rate for the Adam family, the same for muon, sgd's own by the linear rule."""
    session, _ = with_settings(optimizer__name=name)
    settle_rate(session, sgd_lr=0.123, batch_size=64)
    assert session.recipe.optimizer.lr == pytest.approx(rate)


def test_what_the_user_set_stays(with_settings: Any) -> None:
    """No rule overrides a choice."""
    chosen = {"optimizer__name": "adamw", "optimizer__lr": 0.5, "optimizer__weight_decay": 0.3, "schedule__warmup": 0.4}
    session, inspected = with_settings(**chosen, schedule__name="constant")
    settle_learning(session, inspected.task)
    settle_rate(session, sgd_lr=0.1, batch_size=64)
    for key, value in chosen.items():
        assert session.recipe[key.replace("__", ".")] == value


def test_settling_twice_changes_nothing(with_settings: Any) -> None:
    """Any stage may ask, and a resumed run asks again: each decision is written once."""
    session, inspected = with_settings(optimizer__name="muon", schedule__name="plateau", loss__name="focal")
    settle_learning(session, inspected.task)
    once = list(session.journal.select("decision"))
    settle_learning(session, inspected.task)
    assert list(session.journal.select("decision")) == once


def test_schedule_free_brings_its_schedule_and_its_average(with_settings: Any) -> None:
    """A constant rate after a short warm-up, and no average over its average, with the reason why."""
    session, inspected = with_settings(optimizer__name="schedule-free")
    settle_learning(session, inspected.task)
    assert session.recipe.schedule.name == "constant"
    assert session.recipe.averaging.name == "none"
    event = session.journal.last("decision", key="averaging.name")
    assert event is not None
    assert "averages its own path" in event["reason"]


@pytest.mark.parametrize(("name", "warmup"), [("plateau", 0.05), ("constant", 0.05), ("step", 0.05), ("cosine", 0.23)])
def test_schedules_that_stay_at_the_peak_rise_quickly(with_settings: Any, name: str, warmup: float) -> None:
    """The long rise belongs to a long fall."""
    session, inspected = with_settings(schedule__name=name)
    settle_learning(session, inspected.task)
    assert session.recipe.schedule.warmup == warmup


def test_zeros_are_not_averaged_away(with_settings: Any) -> None:
    """Proximal L1 makes zeros, which no average would keep; through the loss there are none to be kept."""
    session, inspected = with_settings(penalty__l1=1e-4)
    settle_learning(session, inspected.task)
    assert session.recipe.averaging.name == "none"
    session, inspected = with_settings(penalty__l1=1e-4, penalty__proximal=False)
    settle_learning(session, inspected.task)
    assert session.recipe.averaging.name == "ema"


def test_focal_loss_is_not_smoothed_unless_asked(with_settings: Any) -> None:
    """Its paper smooths nothing; a smoothing that the user set stays."""
    session, inspected = with_settings(loss__name="focal")
    settle_learning(session, inspected.task)
    assert session.recipe.loss.label_smoothing == 0
    session, inspected = with_settings(loss__name="focal", loss__label_smoothing=0.1)
    settle_learning(session, inspected.task)
    assert session.recipe.loss.label_smoothing == 0.1


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"optimizer__name": "adagrad", "optimizer__momentum": 0.9}, "adagrad, which has none"),
        ({"optimizer__name": "schedule-free", "averaging__name": "ema"}, "averages by itself"),
        ({"data__sampling": "balanced", "loss__class_weights": "balanced"}, "mends the same fault"),
        ({"loss__class_weights": "balanced", "loss__prior_correction": 1.0}, "mends the same fault"),
        ({"data__sampling": "square-root", "loss__prior_correction": 1.0}, "mends the same fault"),
        ({"loss__name": "huber"}, "for regression, and the task is classification"),
        ({"loss__beta": 0.5}, "loss.beta is 0.5"),
        ({"loss__class_weights": "median-frequency"}, "median-frequency"),
    ],
)
def test_what_cannot_go_together_is_refused(with_settings: Any, chosen: dict[str, Any], told: str) -> None:
    """Before any time is spent on training, in three parts."""
    session, inspected = with_settings(**chosen)
    for stop in (check_learning, settle_learning):
        with pytest.raises(SettingError, match=told) as caught:
            stop(session, inspected.task)
        assert "What to do" in str(caught.value)


def test_checking_settles_nothing(with_settings: Any) -> None:
    """What the task later needs may still be settled otherwise, such as another optimizer for masks."""
    session, inspected = with_settings(loss__name="focal", optimizer__name="muon")
    before = dict(session.recipe.items())
    check_learning(session, inspected.task)
    assert dict(session.recipe.items()) == before


MASKS = Segmentation(classes=("road", "sky"), pixels=(7, 1))
VALUES = Regression.of(["age"], np.array([[10.0], [20.0]], np.float32))


def test_networks_of_their_own_get_sgd_as_it_is_usual(with_settings: Any) -> None:
    """The large rate of norms and biases was found for the residual network: networks for masks do without."""
    session, _ = with_settings(optimizer__name="sgd", loss__name="focal")
    settle_learning(session, MASKS)
    table = session.recipe.optimizer
    assert (table.norm_bias_lr, table.momentum, table.weight_decay) == (1.0, 0.9, 5e-4)
    assert session.recipe.loss.label_smoothing == 0


@pytest.mark.parametrize("task", [MASKS, VALUES])
def test_samples_without_a_single_class_are_not_drawn_by_it(with_settings: Any, task: Any) -> None:
    """Masks hold many classes and values none: sampling by class is refused (W9)."""
    session, _ = with_settings(data__sampling="balanced")
    with pytest.raises(SettingError, match="no single class"):
        check_learning(session, task)


def test_a_loss_of_classes_is_refused_for_values(with_settings: Any) -> None:
    """The message names what would fit."""
    session, _ = with_settings(loss__name="focal")
    with pytest.raises(SettingError, match="smooth-l1, huber, squared, absolute"):
        check_learning(session, VALUES)
