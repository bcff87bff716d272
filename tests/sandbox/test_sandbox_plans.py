from __future__ import annotations

from pathlib import Path

import pytest

from kantos_async.sandbox import Faults, Sandbox, read_plan

PLANS = {
    "plan.yaml": "drop_after: 0.05\nslow: [0.1, 0.2]\nignore_sort: [updated_at]\nseed: 7\n",
    "plan.json": (
        '{"drop_after": 0.05, "slow": [0.1, 0.2], "ignore_sort": ["updated_at"], "seed": 7}'
    ),
    "plan.toml": 'drop_after = 0.05\nslow = [0.1, 0.2]\nignore_sort = ["updated_at"]\nseed = 7\n',
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_from_a_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(PLANS[name])
    expected = Faults(
        drop_after=0.05, slow=(0.1, 0.2), ignore_sort=frozenset(["updated_at"]), seed=7
    )
    assert read_plan(file) == expected


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("plan.yaml", "drop_afterwards: 0.05", "drop_afterwards"),
        ("plan.yaml", "drop_after: often", "drop_after"),
        ("plan.yaml", "drop_after: 7", "drop_after"),
        ("plan.yaml", "- drop_after", "array"),
        ("plan.yaml", "a: [", "plan.yaml"),
        ("plan.json", "{", "plan.json"),
        ("plan.toml", "=", "plan.toml"),
        ("plan.ini", "", ".ini"),
        ("plan", "", "without ending"),
    ],
)
def test_a_bad_plan_is_named(tmp_path: Path, name: str, content: str, complaint: str) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(ValueError, match=complaint.replace(".", r"\.")) as caught:
        read_plan(file)
    assert str(file) in str(caught.value)


def test_a_seeded_file_is_seeded_once(tmp_path: Path) -> None:
    for _ in range(2):
        sandbox = Sandbox(database=tmp_path / "account.db", seed_records=5)
        assert len(sandbox.records("obj_contacts")) == 5
        sandbox.core.close()
