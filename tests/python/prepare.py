#!/usr/bin/env python3
"""Installs the Python parts of the tests and builds what they need, once.

    prepare.py python            the interpreter with Tryton and the judge of signatures
    prepare.py postgresql        the same with what Tryton needs for PostgreSQL
    prepare.py openapi           the interpreter with the judge of the OpenAPI document
    prepare.py oauth             the interpreter with an OAuth client
    prepare.py moto              the interpreter with moto, which speaks S3
    prepare.py sam               the interpreter with the SAM command line
    prepare.py build             the same with what builds the functions for Lambda
    prepare.py node              the npm packages of tests/node, linked from there
    prepare.py airbyte           the interpreter with the rival of `tests/bench mapping` and `sync`
    prepare.py dlt               the interpreter with the other rival of `tests/bench sync`
    prepare.py company [SIZE]    a ready Tryton database; SIZE is `orders` (300 purchase orders),
                                 `parties` (5,000 parties) or `plant` (20,000 products and 5,000
                                 purchase orders; takes minutes)

Prints the path of what was asked for. Everything lands in `target/parts`, under a name that holds a
hash of what it was built from: a changed recipe is built anew, an unchanged one is not. Safe to call
from several tests at once.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")).resolve() / "parts"


def digest(*files):
    """The first letters of a hash over the files and the interpreter's version."""
    total = hashlib.sha256(sys.version.encode())
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()[:12]


@contextlib.contextmanager
def locked(name):
    """One builder at a time; the others wait and find it done."""
    PARTS.mkdir(parents=True, exist_ok=True)
    with open(PARTS / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*command, **options):
    """Runs quietly; shows what the command said only when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        sys.exit(f"failed: {' '.join(map(str, command))}")


def environment(name, requirements, *included):
    """The interpreter of a virtual environment that holds exactly these requirements."""
    home = PARTS / f"{name}-{digest(requirements, *included)}"
    with locked(name):
        if not (home / "done").exists():
            shutil.rmtree(home, ignore_errors=True)
            run(sys.executable, "-m", "venv", home)
            pip = [home / "bin" / "pip", "--disable-pip-version-check", "install", "--quiet"]
            run(*pip, "--requirement", requirements)
            (home / "done").touch()
    return home / "bin" / "python"


def python():
    return environment("python", HERE / "requirements.txt")


def node():
    """The packages of tests/node, from its lock file, where its scripts find them."""
    home = HERE.parent / "node"
    files = [home / "package.json", home / "package-lock.json"]
    ready = PARTS / f"node-{digest(*files)}"
    with locked("node"):
        if not (ready / "done").exists():
            shutil.rmtree(ready, ignore_errors=True)
            ready.mkdir(parents=True)
            for file in files:
                shutil.copy(file, ready)
            # Nothing of them is run while they are installed, and nothing is told to anybody.
            quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
            run("npm", "ci", *quiet, cwd=ready)
            (ready / "done").touch()
        link = home / "node_modules"
        if link.resolve() != ready / "node_modules":
            if link.is_symlink():
                link.unlink()
            link.symlink_to(ready / "node_modules")
    return home


def company(size):
    """A database file: built in a scratch folder, moved into place only when it is whole."""
    recipe = HERE / "tryton" / "company.py"
    interpreter = python()
    ready = PARTS / f"company-{size}-{digest(HERE / 'requirements.txt', recipe)}.sqlite"
    with locked("company"):
        base = PARTS / f"company-base-{digest(HERE / 'requirements.txt', recipe)}.sqlite"
        for file, start, what in [(base, None, "base"), (ready, base, size)]:
            if file.exists():
                continue
            with tempfile.TemporaryDirectory(dir=PARTS) as scratch:
                run(interpreter, recipe, scratch, what, *([start] if start else []))
                (Path(scratch) / "company.sqlite").replace(file)
    return ready


def main(words):
    match words:
        case ["python"]:
            print(python())
        case ["postgresql"]:
            files = [HERE / "requirements-postgresql.txt", HERE / "requirements.txt"]
            print(environment("postgresql", *files))
        case ["openapi"]:
            print(environment("openapi", HERE / "requirements-openapi.txt"))
        case ["oauth"]:
            print(environment("oauth", HERE / "requirements-oauth.txt"))
        case ["moto"]:
            print(environment("moto", HERE / "requirements-moto.txt"))
        case ["sam"]:
            print(environment("sam", HERE / "requirements-sam.txt"))
        case ["build"]:
            files = [HERE / "requirements-build.txt", HERE / "requirements-sam.txt"]
            print(environment("build", *files))
        case ["node"]:
            print(node())
        case ["airbyte"]:
            print(environment("airbyte", HERE / "requirements-airbyte.txt"))
        case ["dlt"]:
            print(environment("dlt", HERE / "requirements-dlt.txt"))
        case ["company"] | ["company", "orders"]:
            print(company("orders"))
        case ["company", "parties" | "plant" as size]:
            print(company(size))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
