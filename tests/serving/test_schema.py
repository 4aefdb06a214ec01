"""The server conforms to its OpenAPI document: schemathesis generates requests and validates the responses."""

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402

from tests.serving.conftest import ask  # noqa: E402


@pytest.mark.filterwarnings("ignore")
def test_every_check_passes(server):
    schema = schemathesis.openapi.from_dict(ask(server, "/openapi.json")[2])

    def holds(case):
        case.call_and_validate(base_url=server)

    for operation in schema.get_all_operations():
        strategy = operation.ok().as_strategy()
        checks = HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large
        settings(max_examples=12, deadline=None, database=None, derandomize=True, phases=[Phase.generate], suppress_health_check=checks)(
            given(strategy)(holds)
        )()
