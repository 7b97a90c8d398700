"""Write the handwritten digits that the package carries, from the copy inside scikit-learn (a development tool).

Data: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository,
https://doi.org/10.24432/C50P49, CC BY 4.0.

    python benchmarks/embed_digits.py
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "src" / "epochal" / "data" / "digits.npz"


def main() -> None:
    """Store images as counts from 0 to 16 and labels, compressed."""
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    assert np.array_equal(images, digits.images)
    np.savez_compressed(TARGET, images=images, labels=labels)
    print(f"{TARGET.name}: {len(images):,} images, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
