"""What the rules on data find in the healthy sets at hand, and how far splits drawn from one source drift apart.

python benchmarks/healthy/data.py        about a minute; writes data.md
"""

import numpy as np
from programs import SHARED, write

from epochal.checks import distribution, duplicates, files
from epochal.checks.distribution import SHIFT
from epochal.data.scan import scan
from epochal.data.sources import open_source
from epochal.findings import examine

RULES = (*files.RULES, *duplicates.RULES, *distribution.RULES)
DRAWS = 200


def main() -> None:
    """Scan, judge, and write the table."""
    rows = []
    for name, where in (("digits", "digits"), ("cifar10.zip", SHARED / "cifar10.zip")):
        table = scan(open_source(where)).table
        found = examine(RULES, table)
        rows.append(
            [
                name,
                "rules that fired",
                len(table),
                "; ".join(f"{each.rule} ({each.measured})" for each in found) or "none",
            ]
        )
        brightness = table.means.mean(axis=1)
        for part in (100, 500, 5000):
            if 2 * part > len(brightness):
                continue
            source = np.random.default_rng(0)
            gaps = []
            for _ in range(DRAWS):
                order = source.permutation(len(brightness))
                a, b = brightness[order[:part]], brightness[order[part:]]
                gaps.append(abs(a.mean() - b.mean()) / np.sqrt((a.var() + b.var()) / 2))
            rows.append(
                [name, f"brightness shift of a random split of {part}, most of {DRAWS}", len(table), float(max(gaps))]
            )
        darker = 0.9 * brightness
        shift = (brightness.mean() - darker.mean()) / np.sqrt((brightness.var() + darker.var()) / 2)
        rows.append([name, "brightness shift of images darkened by a tenth", len(table), float(shift)])
    write(
        "data",
        title="Healthy data",
        columns=["data", "measured", "files", "value"],
        rows=rows,
        note=f"Shifts in spreads of single images; the rule speaks from {SHIFT} on, if that is beyond chance.",
    )


if __name__ == "__main__":
    main()
