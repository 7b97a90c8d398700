"""The report of a run, drawn from its journal alone: no torch, no network, one file.

`page.render(events)` gives the HTML, `summary.summary(events)` the same verdict as lines for a terminal. What
each kind of event must carry is written down in `docs/journal.md`.
"""
