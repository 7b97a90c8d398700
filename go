#!/usr/bin/env python3
"""Set up epochal beside this file, then run it, or check it. Needs Python 3.11 or newer with pip, nothing else.

    ./go run digits          any command of epochal: run, predict, report, export, doctor, --help ...
    ./go test                every check that must pass before a change goes in
    ./go test types tests    only some of them: lint, format, types, layers, docs, tests
    ./go docs                write the generated pages again, then build docs/_build/index.html
    ./go setup               only make or refresh the environment, with everything for development
    ./go pin                 write constraints.txt from what is installed now

The environment lives in .venv and is refreshed when pyproject.toml or constraints.txt change.
"""
# Old syntax on purpose: an old interpreter must be able to read the refusal below.

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
STAMP = os.path.join(VENV, "epochal-stamp.txt")
OLDEST = (3, 11)
FOR_USE, FOR_DEVELOPMENT = ["fast", "onnx", "parquet"], ["dev"]

CHECKS = [
    ("lint", ["ruff", "check", "."]),
    ("format", ["ruff", "format", "--check", "."]),
    ("layers", ["lint-imports"]),
    ("types", ["mypy"]),
    ("docs", ["python", os.path.join("docs", "_build.py"), "--check"]),
    ("tests", ["python", "-m", "pytest", "-n", "2", "--dist", "worksteal", "-q"]),
]


def main(arguments):
    """Do what the first argument names; whatever is not a word of this script goes to epochal."""
    os.chdir(ROOT)
    if not arguments:
        print(__doc__)
        return 0
    word, rest = arguments[0], arguments[1:]
    if word == "test":
        refresh(FOR_DEVELOPMENT)
        return check(rest)
    if word == "docs":
        refresh(FOR_DEVELOPMENT)
        return subprocess.call([tool("python"), os.path.join("docs", "_build.py"), *rest])
    if word == "setup":
        return refresh(FOR_DEVELOPMENT)
    if word == "pin":
        return pin()
    refresh(FOR_USE)
    return replace_by([tool("epochal"), *(rest if word == "epochal" else arguments)])


def refresh(extras):
    """Make .venv, or bring it up to date; quick when nothing has changed."""
    wanted = fingerprint()
    known = read(STAMP).split()
    sound = known[:1] == [wanted] and os.path.exists(tool("python"))
    if sound and ("dev" in known or set(extras) <= set(known[1:])):
        return 0
    extras = sorted(set(extras) | set(known[1:]))
    if not os.path.exists(tool("python")):
        say("Making .venv with Python {}.{} ...".format(*sys.version_info[:2]))
        make_environment()
    say("Installing what constraints.txt names; this takes a minute or two the first time ...")
    started = time.time()
    pip = [tool("python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    must([*pip, "--constraint", "constraints.txt", "--editable", ".[{}]".format(",".join(extras))])
    with open(STAMP, "w") as file:
        file.write(" ".join([wanted, *extras]) + "\n")
    say("Ready after {:.0f} s.".format(time.time() - started))
    return 0


def make_environment():
    """Create .venv, and say what is missing where the system's Python came without the parts for it."""
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.call([sys.executable, "-m", "venv", VENV]) != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit("go: this Python cannot make a virtual environment. On Debian: apt install python3-venv")


def fingerprint():
    """What the environment was made from: both files and the interpreter."""
    content = read("constraints.txt") + read("pyproject.toml") + sys.version
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


def check(names):
    """Run the checks of these names, or all; each runs even when one before it failed."""
    known = [name for name, _ in CHECKS]
    wrong = [name for name in names if name not in known]
    if wrong:
        sys.exit("go: no check is called {}; there are {}.".format(wrong[0], ", ".join(known)))
    calm = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")  # as tests/conftest.py wants it
    rows, worst = [], 0
    for name, command in CHECKS:
        if names and name not in names:
            continue
        say("\n== {}: {}".format(name, " ".join(command)))
        started = time.time()
        code = subprocess.call([tool(command[0]), *command[1:]], env=calm)
        rows.append("{} {} ({:.0f} s)".format(name, "passed" if code == 0 else "FAILED", time.time() - started))
        worst = worst or code
    say("\n" + ", ".join(rows))
    return worst


def pin():
    """Write the versions of .venv to constraints.txt, without local parts: `+cpu` exists on one machine."""
    listed = subprocess.check_output([tool("python"), "-m", "pip", "freeze", "--all", "--exclude-editable"])
    kept = [line for line in listed.decode("utf-8").splitlines() if "==" in line and not line.startswith("pip==")]
    with open("constraints.txt", "w") as file:
        file.write("# Written by `./go pin`: the versions with which the checks passed.\n")
        file.writelines(re.sub(r"\+.*", "", line) + "\n" for line in kept)
    say("constraints.txt names {} packages.".format(len(kept)))
    return 0


def replace_by(command):
    """Become the program, so that its signals and its exit code are its own."""
    if os.name == "nt":
        return subprocess.call(command)
    sys.stdout.flush()
    return os.execv(command[0], command)


def tool(name):
    """The path of a program in the environment."""
    return os.path.join(BIN, name + (".exe" if os.name == "nt" else ""))


def must(command):
    """Run a command; end with its exit code where it fails."""
    code = subprocess.call(command)
    if code != 0:
        sys.exit("go: this failed with exit code {}: {}".format(code, " ".join(command)))


def read(path):
    """The text of a file; nothing where there is none."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def say(text):
    """Tell what happens, apart from the output of the program."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def newer_interpreter():
    """A Python on the path that is new enough, where this one is not."""
    for minor in range(14, OLDEST[1] - 1, -1):
        found = shutil.which("python3.{}".format(minor))
        if found and subprocess.call([found, "-c", "import venv"]) == 0:  # a shim may stand for nothing
            return found
    return None


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        other = newer_interpreter()
        if other is None:
            sys.exit(
                "go: this is Python {}.{}; epochal needs 3.11 or newer. Install one, then: python3.11 go ...".format(
                    *sys.version_info[:2]
                )
            )
        os.execv(other, [other, os.path.abspath(__file__), *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
