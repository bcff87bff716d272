"""Use a built wheel as a stranger would: `python tests/packaging/install.py DIST_FOLDER`.

First alone in an empty environment, where the parts that need an extra must say so in one line;
then with the extra that the command line needs, running the quick start against a sandbox.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUICKSTART = ROOT / "examples" / "quickstart.py"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


def main(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    check_contents(wheel)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        venv.create(home, with_pip=True)
        install(home, str(wheel))
        check_alone(home)
        install(home, f"{wheel}[cli]")
        check_quickstart(home)
    print(f"{wheel.name}: imports alone, asks for what it lacks, and runs the quick start")


def check_contents(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "kantos_async/py.typed" in names
    assert any(name.startswith("kantos_async/api/") for name in names)
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"kantos_async"}, f"the wheel would also install {top - {'kantos_async'}}"


def check_alone(home: Path) -> None:
    run(home, "python", "-c", "from kantos_async import KantosAsync, F")
    command = run(home, "kantos", "demo", code=2)
    assert command.stderr.count("\n") == 1, command.stderr
    assert "pip install 'kantos-async[cli]'" in command.stderr


def check_quickstart(home: Path) -> None:
    # A copy, run from elsewhere, so that nothing but the installed wheel can be imported.
    script = home / "quickstart.py"
    script.write_bytes(QUICKSTART.read_bytes())
    quickstart = run(home, "python", str(script))
    assert quickstart.stdout.strip(), "the quick start printed nothing"


def install(home: Path, requirement: str) -> None:
    run(home, "python", "-m", "pip", "install", "--quiet", requirement)


def run(
    home: Path, program: str, *arguments: str, code: int = 0
) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("KANTOS_", "PYTHONPATH"))}
    done = subprocess.run(
        [home / SCRIPTS / program, *arguments],
        cwd=home,
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    if done.returncode != code:
        sys.exit(f"{program} {arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


if __name__ == "__main__":
    main(Path(sys.argv[1]))
