"""The description of the interface is complete, and no request that it allows, or forbids, breaks the service."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .processes import ROOT, THOROUGH, Service, ask

#: Requests for each operation.
EXAMPLES = 100 if THOROUGH else 10


def test_the_description_is_complete(sqlite_served: Service) -> None:
    description = ask(f"{sqlite_served.url}/openapi.json")[1]
    operations = {(path, method): what for path, item in description["paths"].items() for method, what in item.items()}
    assert set(operations) == {
        ("/api/lock/request", "post"),
        ("/api/lock/release", "post"),
        ("/api/lock/renew", "post"),
        ("/api/locks/status", "get"),
        ("/api/locks/device/{device_name}", "get"),
        ("/api/health/live", "get"),
        ("/api/health/ready", "get"),
    }
    for (path, method), what in operations.items():
        assert what["description"], path
        for status, answer in what["responses"].items():
            schema = answer["content"]["application/json"]["schema"]
            assert "$ref" in schema, (path, status)
            if status != "200":
                assert schema["$ref"].endswith("/Problem")
        if method == "post":
            assert {"400", "401", "403", "408", "413", "415", "422", "429", "503"} < set(what["responses"])


def test_schemathesis_finds_no_5xx(sqlite_served: Service, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    run = subprocess.run(
        [
            str(program),
            "run",
            f"{sqlite_served.url}/openapi.json",
            "--checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
            f"--max-examples={EXAMPLES}",
            "--mode=all",
            f"--phases={'examples,coverage,fuzzing,stateful' if THOROUGH else 'examples,fuzzing'}",
            "--workers=2",
            "--seed=1",
            "--request-timeout=30",
            "--no-color",
        ],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.coordination.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
