from __future__ import annotations

import base64
import copy
import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.report.page import SECTIONS, render
from report.clock import Event
from report.markup import Page
from report.other_results import METRICS
from report.other_tasks import run_of
from report.scenario import full_run

FULL = full_run()
HOSTILE = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}\x00\udcff\u202e"


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """The same JSON with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: changed(each, change) for key, each in value.items()}
    return [changed(each, change) for each in value] if isinstance(value, list) else value


def test_every_section_is_there(page: Page) -> None:
    """A complete run has every section but the one for pictures that nobody expects, each under its heading."""
    anchors = [each.attributes["id"] for each in page.all("section")]
    assert anchors == ["verdict", *(section.anchor for section in SECTIONS if section.anchor != "pictures")]
    headings = [each.text for each in page.all("h2")]
    assert headings == [section.title for section in SECTIONS if section.anchor != "pictures"]
    assert not page.all("p", class_="missing")


def test_the_verdict_comes_first(page: Page) -> None:
    """The heading states the score with its interval, and the trivial baselines stand right below."""
    (heading,) = page.all("h1")
    assert (
        heading.text == "On 5,000 test images never used for any choice the model is right for 91.2 % (90.4 to 92.0)."
    )
    assert page.all("p", class_="beside")[0].text.startswith(
        "Always guessing the most common class: 10.0 %; a linear model: 39.8 %"
    )
    assert page.all("p", class_="status good")[0].text == "Finished"


def test_anchors_are_unique_and_lead_somewhere(page: Page) -> None:
    """No two elements share an id, and every link inside the page has a target."""
    ids = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    targets = {each.attributes["href"] for each in page.elements if each.attributes.get("href", "").startswith("#")}
    assert {target[1:] for target in targets} <= set(ids)


def test_nothing_is_loaded_from_anywhere(document: str, page: Page) -> None:
    """Every source is inside the file, and the page itself forbids the browser anything else."""
    sources = [each.attributes[key] for each in page.elements for key in ("src", "href") if key in each.attributes]
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "url(" not in document
    assert "@import" not in document
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert "default-src 'none'" in policy.attributes["content"]
    (script,) = page.all("script")
    digest = base64.b64encode(hashlib.sha256("".join(script.texts).encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy.attributes["content"]


def test_the_file_is_small(document: str) -> None:
    """With all its pictures the report stays below one megabyte."""
    assert len(document.encode()) < 1_000_000


def test_the_same_journal_makes_the_same_page(events: list[Event], document: str) -> None:
    """No clock and no chance goes into the page."""
    assert render(json.loads(json.dumps(events))) == document


def test_hostile_names_stay_text() -> None:
    """Whatever stands in a journal is shown, never obeyed: no element, no attribute, no template comes of it."""
    kept = {"kind", "event", "media", "data", "time"}
    events = [
        {key: value if key in kept else changed(value, lambda told: told + HOSTILE) for key, value in event.items()}
        for event in FULL
    ]
    document = render(events)
    page = Page.read(document)
    assert len(page.all("script")) == 1
    assert not [each for each in page.elements for name in each.attributes if name.startswith("on")]
    assert not page.all("img", src="x")
    assert "\x00" not in document
    document.encode("utf-8")
    assert "<script>alert(1)</script>" in page.all("body")[0].text
    assert "49" not in re.findall(r"&lt;script&gt;.{0,60}", document)[0]


@pytest.mark.parametrize("missing", sorted({event["kind"] for event in FULL}))
def test_a_journal_without_one_kind_is_drawn(missing: str) -> None:
    """Each kind of event may be absent altogether."""
    Page.read(render([event for event in FULL if event["kind"] != missing]))


@given(st.integers(0, len(FULL)))
@settings(max_examples=25)
def test_a_journal_cut_anywhere_is_drawn(length: int) -> None:
    """A run that was killed has a report, which does not claim a score that was never measured."""
    page = Page.read(render(FULL[:length]))
    scored = any(event["kind"] == "result" for event in FULL[:length])
    assert ("right for" in page.all("h1")[0].text) == scored


def test_an_interrupted_run_says_what_is_missing() -> None:
    """Sections that a complete run would have are named where they are absent."""
    half = FULL[: next(index for index, event in enumerate(FULL) if event["kind"] == "epoch")]
    (missing,) = Page.read(render(half)).all("p", class_="missing")
    assert missing.text == "Not in this journal: training, first-layer filters, prediction dynamics, result."


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["nan", "inf", HOSTILE]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in some JSON, as the keys that lead there; of long lists the first two."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    return [path, *(found for key, each in inner for found in places(each, (*path, key)))]


KINDS = {event["kind"]: event for event in FULL}
PLACES = [(kind, path) for kind, event in KINDS.items() for path in places(event) if path]


@given(st.lists(st.tuples(st.sampled_from(PLACES), ANYTHING), min_size=1, max_size=4))
@settings(max_examples=100)
def test_no_value_in_a_journal_breaks_the_page(changes: list[tuple[tuple[str, tuple[Any, ...]], Any]]) -> None:
    """Anything may stand anywhere, and what can be drawn is drawn, as sound HTML."""
    events = copy.deepcopy(FULL[:1] + [event for event in KINDS.values() if event is not FULL[0]])
    for (kind, path), value in changes:
        place: Any = next((event for event in events if event.get("kind") == kind), {})
        try:
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    Page.read(render(events))


@pytest.mark.parametrize(
    "stray", [[], [None, 5, "text", [], {}], [{"kind": "from-the-future", "value": math.nan}], [{"kind": ["session"]}]]
)
def test_strays_are_passed_over(stray: list[Any]) -> None:
    """Events of no kind or of an unknown kind leave an empty, sound page."""
    assert Page.read(render(stray)).all("h1")[0].text == "There is no test score yet."


@pytest.mark.parametrize("classes", [2, 20, 21, 1000])
def test_any_number_of_classes_is_drawn(classes: int) -> None:
    """From two classes to a thousand; the matrix gives way to the most confused pairs where it cannot be read."""
    names = [f"class {index}" for index in range(classes)]
    counts = [[10 if given == said else int(given + 1 == said) for said in range(classes)] for given in range(classes)]
    per_class = [
        {"label": name, "recall": 0.9, "precision": 0.9, "f1": 0.9, "support": 11, "low": 0.6, "high": 0.98}
        for name in names
    ]
    result = {
        "kind": "result",
        "value": 0.9,
        "details": {"per_class": per_class, "confusion": {"labels": names, "counts": counts}},
    }
    splits = {"kind": "measurement", "name": "data.splits", "value": {"train": dict.fromkeys(names, 10)}}
    document = render([splits, result])
    assert len(document) < 2_000_000
    assert bool(Page.read(document).all("table", class_="matrix")) == (12 < classes <= 20)
    assert bool(Page.read(document).all("table", class_="matrix roomy")) == (classes <= 12)


def test_pictures_nobody_expects_are_shown(events: list[Event]) -> None:
    """A picture under a new name gets a place of its own."""
    batch = next(event for event in events if event["kind"] == "picture")
    page = Page.read(render([{**batch, "name": "confidence-map"}]))
    assert "More pictures" in [each.text for each in page.all("h2")]


def test_a_second_opening_of_the_test_split_is_loud(events: list[Event]) -> None:
    """The promise is one opening; anything else is said above the fold, and the status turns."""
    opened = next(event for event in events if event["kind"] == "opened")
    page = Page.read(render([*events, {**opened, "count": 2}]))
    assert "opened 2 times" in page.all("ul", class_="alarms")[0].text
    assert page.all("p", class_="status bad")
    assert "Opened 2 times" in page.all("div", class_="loud")[0].text


@pytest.mark.parametrize("task", METRICS)
def test_every_task_has_its_page(task: str) -> None:
    """The journal of each task makes a sound page with its score, its result and its decision on the task."""
    page = Page.read(render(run_of(task)))
    (heading,) = page.all("h1")
    assert "On 220 test images never used for any choice" in heading.text
    assert METRICS[task]["metric"] in heading.text or task == "regression"
    assert {"data", "training", "result"} <= {each.attributes["id"] for each in page.all("section")}
    assert ("dynamics" in {each.attributes["id"] for each in page.all("section")}) == (task != "segmentation")
    assert "dynamics" not in "".join(each.text for each in page.all("p", class_="missing"))
    assert page.all("section", id="decisions")[0].text.count(task)


@pytest.mark.parametrize("task", METRICS)
@given(data=st.data())
@settings(max_examples=25)
def test_no_value_in_another_task_breaks_the_page(task: str, data: st.DataObject) -> None:
    """Anything may stand anywhere in journals of all tasks."""
    events = copy.deepcopy(run_of(task))
    drawn = [event for event in events if event["kind"] in {"result", "measurement", "dynamics", "series", "epoch"}]
    for _ in range(3):
        event = data.draw(st.sampled_from(drawn))
        path = data.draw(st.sampled_from([path for path in places(event) if path]))
        place: Any = event
        try:
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = data.draw(ANYTHING)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    Page.read(render(events))


def test_names_of_values_and_classes_stay_text() -> None:
    """Whatever columns and labels are called, in every task's drawings."""
    kept = {"kind", "event", "media", "data", "time", "name", "metric", "unit", "over"}
    for task in METRICS:
        events = [
            {key: value if key in kept else changed(value, lambda told: told + HOSTILE) for key, value in event.items()}
            for event in run_of(task)
            if event.get("name") != "task"
        ]
        page = Page.read(render([{"kind": "measurement", "name": "task", "value": TOLD[task]}, *events]))
        assert len(page.all("script")) == 1
        assert not [each for each in page.elements for name in each.attributes if name.startswith("on")]


TOLD = {task: {"name": task, **told} for task, told in METRICS.items()}
