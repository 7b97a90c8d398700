"""Saved states that survive a power cut: written aside, flushed, renamed; checksummed; never unpickled.

A file is a line of JSON (format, version, length and checksum of what follows) and then what torch.save wrote. The
checksum is verified before torch sees a byte, and torch then reads tensors and plain values alone (`weights_only`), so
a stranger's file can be wrong but cannot run code.
"""

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from epochal.errors import CheckpointError
from epochal.writing import write_atomically

FORMAT = "epochal-checkpoint"
VERSION = 1
_HEADER_LIMIT = 4096
_ZIP = b"PK\x03\x04"  # torch.save has written archives since 1.6; its older format is a bare pickle


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state so that `path` holds either the old file or the whole new one, whatever happens in between.

    Raises: CheckpointError where it cannot be written (disk full, no permission); the old file is then untouched.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "last.pt"
    >>> save(path, {"step": 3, "weight": torch.ones(2)})
    >>> load(path)["step"]
    3
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    body = buffer.getbuffer()
    header = {"format": FORMAT, "version": VERSION, "bytes": len(body), "blake2b": _checksum(body)}
    _written(path, [json.dumps(header).encode() + b"\n", body])


def load(path: Path, *, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a state back, after proving that it is whole and ours.

    Raises: CheckpointError where the file is missing, cut short, damaged, foreign or of a newer format.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from error
    head, _, body = content.partition(b"\n")
    _check(path, head, body=memoryview(body))
    try:
        state = torch.load(io.BytesIO(body), map_location=device, weights_only=True)
    except Exception as error:
        raise _unusable(path, f"holds what torch will not read ({type(error).__name__})") from error
    if not isinstance(state, dict):
        raise _unusable(path, f"holds a {type(state).__name__}, not a state")
    return state


def load_newest(paths: Sequence[Path], *, device: torch.device | str = "cpu") -> tuple[Path, dict[str, Any]]:
    """Read the first of `paths` that is whole, the best first: one damaged file does not lose the run.

    Raises: CheckpointError naming what is wrong with each, where none is whole.
    """
    faults = []
    for path in paths:
        try:
            return path, load(path, device=device)
        except CheckpointError as error:
            faults.append(error.happened)
    raise CheckpointError(
        " ".join(faults) or "There is no checkpoint.",
        expected="at least one whole checkpoint.",
        remedy="start the run anew in an empty folder; what the journal says of this one stays.",
    )


def save_keeping_previous(path: Path, state: Mapping[str, Any]) -> None:
    """Save over `path`, keeping the file that was there as `NAME.previous`, for `load_newest` to fall back on.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "last.pt"
    >>> save_keeping_previous(path, {"step": 1}); save_keeping_previous(path, {"step": 2})
    >>> _ = path.write_bytes(b"damaged")
    >>> load_newest([path, previous(path)])[1]
    {'step': 1}
    """
    if path.exists():
        older = previous(path)
        with contextlib.suppress(FileNotFoundError):
            older.unlink()
        os.link(path, older)
    save(path, state)


def previous(path: Path) -> Path:
    """Where the state before the present one is kept."""
    return path.with_name(path.name + ".previous")


def save_weights(path: Path, model: nn.Module, *, metadata: Mapping[str, str]) -> None:
    """Export a model's weights as safetensors, with words about them, in one atomic write.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> save_weights(path, nn.Linear(1, 2), metadata={"classes": "cat dog"})
    >>> sorted(load_weights(path)[0]), load_weights(path)[1]["classes"]
    (['bias', 'weight'], 'cat dog')
    """
    # cloned, since safetensors refuses two names for one tensor
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    _written(path, [to_safetensors(tensors, metadata=dict(metadata))])


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read exported weights and the words about them.

    Raises: CheckpointError where the file is missing, damaged or no safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _unusable(path, f"is no readable safetensors file ({error})") from error


def _written(path: Path, parts: Sequence[bytes | memoryview]) -> None:
    try:
        write_atomically(path, parts)
    except OSError as error:
        raise CheckpointError(
            f"{path} could not be written: {error.strerror}.",
            expected=f"a writable folder with {sum(len(part) for part in parts) >> 20} MiB free.",
            remedy="free some space or choose another output folder; what was saved before is intact.",
        ) from error


def _checksum(body: memoryview | bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _check(path: Path, head: bytes, *, body: memoryview) -> None:
    header: Any = None
    if len(head) <= _HEADER_LIMIT:
        with contextlib.suppress(ValueError):
            header = json.loads(head)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise _unusable(path, "is no checkpoint of epochal")
    if header.get("version") != VERSION:
        raise _unusable(path, f"has format {header.get('version')}, this program reads {VERSION}")
    if header.get("bytes") != len(body):
        raise _unusable(path, f"holds {len(body)} bytes where {header.get('bytes')} were written")
    if header.get("blake2b") != _checksum(body):
        raise _unusable(path, "does not match its checksum")
    if body[:4] != _ZIP:
        raise _unusable(path, "holds a bare pickle")


def _unusable(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path} {why}.",
        expected="a whole file that epochal wrote.",
        remedy="take the previous checkpoint beside it, or start the run anew in an empty folder.",
    )
