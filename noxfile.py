"""Every chore of the project: `nox -l` lists them, `nox` alone runs what a change must pass.

Needs nothing but CPython 3.11 and pip: `pip install nox && nox -s tests`. Where uv is at hand it
makes the environments, otherwise virtualenv and pip do.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests", "package"]
# A Python that this machine lacks is skipped, on CI too (where nox would otherwise fail), and
# none is ever downloaded.
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)


def group(name: str) -> list[str]:
    """The requirements of one dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(PROJECT, name))


@nox.session
def demo(session: nox.Session) -> None:
    """The main job on real input: 2,000 people into a sandbox over HTTP, and back."""
    session.install("-e", ".[cli]")
    session.run("kantos", "demo", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, on asyncio and trio; the oldest Python measures branch coverage as well."""
    session.install("-e", ".[all]", *group("test"))
    pytest = ["python", "-m", "pytest", "-n", "auto", "--dist", "worksteal", *session.posargs]
    if session.python != PYTHONS[0] or session.posargs:
        session.run(*pytest)
        return
    # Not in the session's own temporary folder: that one would become TMPDIR, and lie within the
    # project, whose settings the tests' own projects would then take for theirs.
    env = {"COVERAGE_FILE": str(session.cache_dir.resolve() / "coverage")}
    # With this variable every Python of the session measures itself from its start: the workers
    # of pytest-xdist, and the commands that tests run.
    start = {"COVERAGE_PROCESS_START": str(Path("pyproject.toml").resolve())}
    session.run("coverage", "erase", env=env)
    session.run(*pytest, env=env | start)
    session.run("coverage", "combine", "--quiet", env=env)
    session.run("coverage", "report", env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff (rules and format), and the direction of imports."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict and pyright on the package, the generator, and what users write."""
    session.install("-e", ".[all]", *group("types"))
    session.run("mypy")
    session.run("pyright")


@nox.session
def generate(session: nox.Session) -> None:
    """Write kantos_async/api from openapi/kantos.yaml; with `-- --check` only show the drift."""
    session.install("-e", ".", *group("generate"))
    session.run("python", "-m", "generator", *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build sdist and wheel, and use the wheel in an environment that holds nothing else."""
    session.install("build")
    dist = Path(session.create_tmp()).resolve() / "dist"
    session.run("python", "-m", "build", "--outdir", str(dist))
    session.run("python", "tests/packaging/install.py", str(dist))


@nox.session
def bench(session: nox.Session) -> None:
    """Speed, pacing and requests beside other libraries; writes bench.json."""
    session.install("-e", ".[all]", *group("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """The fault, conformance and simulation tests in full (`tests` runs a few rows of each)."""
    session.install("-e", ".[all]", *group("test"))
    env = {
        "KANTOS_FAULTS": "all",
        "KANTOS_CONFORMANCE_EXAMPLES": "100",
        "KANTOS_STATE_EXAMPLES": "500",
    }
    session.run(
        "python", "-m", "pytest", "-n", "auto", "--dist", "worksteal", *session.posargs, env=env
    )


@nox.session
def browser(session: nox.Session) -> None:
    """The sandbox's console in a real Chromium, which must be installed."""
    if not any(map(shutil.which, ("chromium", "chromium-browser"))):
        session.error("Chromium is missing (Debian: apt-get install chromium)")
    session.install("-e", ".[sandbox]", *group("browser"))
    session.run("python", "-m", "pytest", *(session.posargs or ["tests/browser"]))
