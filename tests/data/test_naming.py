"""Facts about how tables name pictures."""

import pytest

from epochal.data.naming import Names, file_column, nearest_miss
from epochal.data.tabular import parse

KEYS = ["set/images/a.jpg", "set/images/b.jpg", "set/images/sub/a.png", "set/images/17.png"]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("images/a.jpg", 0),
        ("./images/a.jpg", 0),
        ("set/images/a.jpg", 0),
        ("images\\b.jpg", 1),
        ("b.jpg", 1),
        ("b", 1),
        ("B.JPG", 1),
        ("images/b", 1),
        ("D:\\photos\\b.jpg", 1),
        ("/photos/2024/b.jpg", 1),
        ("a.jpg", 0),
        ("a.png", 2),
        ("sub/a", None),  # the folder below images is not a path from the table
        ("a", None),  # two pictures are called so
        ("17", 3),
        ("17.png", 3),
        ("17.5", None),
        ("c.jpg", None),
        ("", None),
    ],
)
def test_ways_of_naming(cell: str, found: int | None) -> None:
    """By path from the table, by path from the top, by name, with or without ending; never one of several."""
    assert Names(KEYS, top="set/").find(cell) == found


def test_column_with_most_files_wins() -> None:
    """A column of class numbers that happen to be file names gives way to the column that names more files."""
    keys = [f"{number}.png" for number in range(20)]
    rows = "\n".join(f"{number % 3},{number}" for number in range(20))
    found = file_column(parse(f"class,photo\n{rows}\n".encode(), name="t.csv"), Names(keys, top=""))
    assert found is not None
    assert found.at == 1
    assert found.rows == tuple(range(20))
    assert found.named == 20


def test_numbers_are_no_names_beside_names() -> None:
    """Where the names are wrong, values that happen to be file names are not taken in their place."""
    names = Names([f"{number}.png" for number in range(9)], top="")
    rows = "".join(f"img_{number}.jpeg,{number}\n" for number in range(9))
    sheet = parse(f"file,value\n{rows}".encode(), name="t.csv")
    assert file_column(sheet, names) is None
    assert nearest_miss(sheet, names).startswith("'file' names 0 pictures of 9")


def test_half_of_the_files_may_be_missing() -> None:
    """A column still names files when half of them are not there, and no longer when more are gone."""
    sheet = parse(b"file,x\na.jpg,1\nb.jpg,2\nc.jpg,3\nd.jpg,4\n", name="t.csv")
    assert file_column(sheet, Names(["a.jpg", "b.jpg"], top="")) is not None
    assert file_column(sheet, Names(["a.jpg"], top="")) is None


def test_nearest_miss_names_the_closest_column() -> None:
    """The message tells the column that came closest, how many it names, and one that it does not."""
    sheet = parse(b"n,photo\n1,a.jpg\n2,x.jpg\n3,y.jpg\n", name="t.csv")
    assert nearest_miss(sheet, Names(["a.jpg"], top="")) == "'photo' names 1 picture of 3, not for example x.jpg"
    assert "'photo' names 0 pictures of 3" in nearest_miss(sheet, Names(["q.jpg"], top=""))
    assert nearest_miss(parse(b"n,m\n1,x\n", name="t.csv"), Names(["q.jpg"], top="")) == (
        "no cell of 'n', 'm' is the name of a picture"
    )
