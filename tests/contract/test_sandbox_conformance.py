"""The sandbox answers what the specification says, to good requests and to bad ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, settings

from kantos_async.sandbox import Sandbox

schemathesis = pytest.importorskip("schemathesis")

from schemathesis.config import (  # noqa: E402
    ChecksConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)

SPEC = Path(__file__).parents[2] / "openapi" / "kantos.yaml"
#: Drawn for each of the 18 operations, beside the 1,500 cases that cover each constraint once.
EXAMPLES = int(os.environ.get("KANTOS_CONFORMANCE_EXAMPLES", "2"))


def load() -> Any:
    checks = ChecksConfig(
        # What the specification cannot say: which fields an object has, which objects there are.
        positive_data_acceptance=PositiveDataAcceptanceConfig(
            expected_statuses=["2xx", "400", "403", "404", "409", "422"]
        )
    )
    projects = ProjectsConfig(default=ProjectConfig(checks=checks))
    spec = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
    return schemathesis.openapi.from_dict(spec, config=SchemathesisConfig(projects=projects))


schema = load()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limit=10_000_000, seed_records=30, seed=1) as sandbox:
        yield sandbox


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_conform(case: Any, sandbox: Sandbox) -> None:
    case.call_and_validate(base_url=sandbox.url, headers={"X-Api-Key": sandbox.api_key})


def test_sequences_of_calls_conform(sandbox: Sandbox) -> None:
    """A record that was created is fetched, changed and deleted, in any order."""

    class Calls(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": sandbox.url, "headers": {"X-Api-Key": sandbox.api_key}}

    Calls.run(
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=10,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
    )
