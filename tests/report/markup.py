"""Reading a page as strictly as a validator would: every element closed in order, every attribute once."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "wbr", "link", "img", "br", "hr", "input"}


@dataclass
class Element:
    """One element: its name, its attributes, and the text directly and indirectly inside."""

    name: str
    attributes: dict[str, str]
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, with single spaces."""
        return " ".join("".join(self.texts).split())


class Page(HTMLParser):
    """A document whose elements are balanced; `read` raises AssertionError where they are not."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []

    @classmethod
    def read(cls, document: str) -> Page:
        """Parse the whole document."""
        page = cls()
        page.feed(document)
        page.close()
        assert not page._open, f"not closed: {[each.name for each in page._open]}"
        return page

    def all(self, name: str, **attributes: str) -> list[Element]:
        """Elements of a name with these attributes (`class_` for class), in order."""
        wanted = {key.rstrip("_"): value for key, value in attributes.items()}
        return [
            each
            for each in self.elements
            if each.name == name and all(each.attributes.get(key) == value for key, value in wanted.items())
        ]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element, and that it is open unless it is void."""
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> says an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that closes itself, as those of drawings do."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which has to be this one."""
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].name == tag, f"</{tag}> inside <{self._open[-1].name}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Give the text to every element it stands in."""
        for each in self._open:
            each.texts.append(data)
