"""The folder of a run: names, requests, the lock, whole files or none."""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import RunError
from epochal.stages.folder import RunFolder, choose_folder, existing_run, write_json
from epochal.writing import write_atomically

ASKED = {"source": "digits", "settings": {"seed": 3}}


def _run(path: Path, request: object = None) -> RunFolder:
    """A folder in which a run has begun."""
    path.mkdir(parents=True)
    line = {"kind": "session", "stage": "run", "at": 0.1, "request": ASKED if request is None else request}
    (path / "journal.jsonl").write_text(json.dumps(line) + "\n")
    return RunFolder(path)


def test_the_same_request_continues_the_same_folder(tmp_path: Path) -> None:
    """Repeating a command finds the run that it began."""
    _run(tmp_path / "digits")
    assert choose_folder(ASKED, name="digits", out=None, root=tmp_path).path == tmp_path / "digits"


def test_lists_of_a_recipe_are_the_same_request(tmp_path: Path) -> None:
    """What is a tuple in the recipe is a list in the journal: the run is found again all the same."""
    asked = {"source": "digits", "settings": {"transforms.names": ("blur", "mixup")}}
    _run(tmp_path / "digits", json.loads(json.dumps(asked)))
    assert choose_folder(asked, name="digits", out=None, root=tmp_path).path == tmp_path / "digits"
    assert choose_folder(asked, name="digits", out=tmp_path / "digits", root=tmp_path).path == tmp_path / "digits"


def test_another_request_gets_the_next_free_name(tmp_path: Path) -> None:
    """A run is never mixed with another, nor overwritten."""
    _run(tmp_path / "digits")
    other = {"source": "digits", "settings": {"seed": 4}}
    assert choose_folder(other, name="digits", out=None, root=tmp_path).path == tmp_path / "digits-2"
    assert choose_folder(ASKED, name="digits", out=None, root=tmp_path, fresh=True).path == tmp_path / "digits-2"


def test_a_folder_of_something_else_is_passed_over(tmp_path: Path) -> None:
    """Files that are not of a run keep their folder for themselves."""
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "thesis.tex").write_text("years of work")
    assert choose_folder(ASKED, name="digits", out=None, root=tmp_path).path == tmp_path / "digits-2"


def test_a_start_killed_before_its_first_line_leaves_its_name_free(tmp_path: Path) -> None:
    """An empty journal and a lock are nothing to keep."""
    (tmp_path / "digits").mkdir()
    for name in (".lock", "journal.jsonl"):
        (tmp_path / "digits" / name).touch()
    assert choose_folder(ASKED, name="digits", out=None, root=tmp_path).path == tmp_path / "digits"


@given(name=st.text(max_size=300))
def test_any_name_gives_a_usable_folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Names of data sets may be long, hidden, empty or climb up the tree: the folder lies in the root all the same."""
    root = tmp_path_factory.getbasetemp()
    path = choose_folder(ASKED, name=name, out=None, root=root).path
    assert path.parent == root
    assert re.fullmatch(r"[\w-][\w.-]*", path.name)
    assert len(path.name) <= 60


def test_out_that_holds_another_run_is_refused_with_the_difference(tmp_path: Path) -> None:
    """The message names the keys in which the two requests differ."""
    _run(tmp_path / "mine", {"source": "photos", "settings": {"seed": 3}})
    with pytest.raises(RunError, match="differs in source") as caught:
        choose_folder(ASKED, name="digits", out=tmp_path / "mine", root=tmp_path)
    assert "--out" in caught.value.remedy


def test_out_with_fresh_never_continues(tmp_path: Path) -> None:
    """`--fresh --out` on a run is refused: nothing is deleted for the user."""
    _run(tmp_path / "mine")
    with pytest.raises(RunError, match="holds a run"):
        choose_folder(ASKED, name="digits", out=tmp_path / "mine", root=tmp_path, fresh=True)


@pytest.mark.parametrize("kind", ["file", "foreign folder"])
def test_out_that_is_something_else_is_refused(tmp_path: Path, kind: str) -> None:
    """A file, or a folder with files of one's own, is left alone."""
    place = tmp_path / "out"
    if kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "note.txt").write_text("mine")
    with pytest.raises(RunError, match=r"is a file|not of a run"):
        choose_folder(ASKED, name="digits", out=place, root=tmp_path)


def test_reading_a_request_changes_nothing(tmp_path: Path) -> None:
    """A look from outside leaves the line alone that the running process is just writing."""
    folder = _run(tmp_path / "digits")
    with folder.journal.open("a") as file:
        file.write('{"kind": "measure')
    before = folder.journal.read_bytes()
    assert folder.request() == ASKED
    assert folder.journal.read_bytes() == before


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """The second to come is told so, and the lock is free again after the first."""
    folder = RunFolder(tmp_path / "run")
    with folder.locked(), pytest.raises(RunError, match="Another process is at work"), folder.locked():
        pytest.fail("two at once")
    with folder.locked():
        assert folder.path.is_dir()


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A run folder below a file is an error that says where."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be used"), RunFolder(tmp_path / "file" / "run").locked():
        pytest.fail("made below a file")


@pytest.mark.parametrize("content", ["grüße\n", b"\x00\xff"])
def test_atomic_writing_replaces_the_whole(tmp_path: Path, content: str | bytes) -> None:
    """Text and bytes arrive as given, folders above are made, nothing is left beside."""
    path = tmp_path / "deep" / "file"
    for _ in range(2):
        write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_json_of_any_file_name_can_be_written(tmp_path: Path) -> None:
    """Names on disk need not be valid text; JSON keeps even those."""
    name = os.fsdecode(b"caf\xe9.png")
    write_json(tmp_path / "names.json", [name, "größe"])
    assert json.loads((tmp_path / "names.json").read_bytes()) == [name, "größe"]


def test_a_missing_run_names_those_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in the name is easily mended."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError) as caught:
        existing_run(Path("runs/cats"))
    assert "epochal run" in caught.value.remedy
    _run(tmp_path / "runs" / "dogs")
    with pytest.raises(RunError) as caught:
        existing_run(Path("runs/cats"))
    assert "runs/dogs" in caught.value.remedy
    assert existing_run(Path("runs/dogs")).path == Path("runs/dogs")
