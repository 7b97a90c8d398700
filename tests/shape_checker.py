"""What checks the shapes written in signatures while tests run; named in pyproject.toml, used by jaxtyping's hook."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int may stand for a float, as for mypy
