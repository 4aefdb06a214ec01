"""/metrics: the names that dashboards know, in a format that Prometheus' own parser reads, and each server counting for itself."""

from prometheus_client.parser import text_string_to_metric_families

from tavu.serving.metrics import CONTENT_TYPE, Metrics
from tests.serving.conftest import ask, completion

NAMES = {
    "tavu_requests_total",
    "tavu_texts_total",
    "tavu_read_bytes_total",
    "tavu_written_bytes_total",
    "tavu_texts_writing",
    "tavu_texts_waiting",
    "tavu_first_byte_seconds_bucket",
    "tavu_first_byte_seconds_sum",
    "tavu_first_byte_seconds_count",
}


def samples(page):
    return {(one.name, *one.labels.values()): one.value for family in text_string_to_metric_families(page) for one in family.samples}


def test_a_server_counts_what_it_does_under_the_names_that_dashboards_know(server):
    before = samples(ask(server, "/metrics")[2])
    usage = completion(server, prompt="Once upon", max_tokens=40)["usage"]
    _, headers, page = ask(server, "/metrics")
    after = samples(page)
    assert headers["content-type"] == CONTENT_TYPE
    assert {name for name, *_ in after} == NAMES

    def grown(*key):
        return after[key] - before.get(key, 0)

    assert grown("tavu_requests_total", "/v1/completions", "200") == 1
    assert grown("tavu_read_bytes_total") == usage["prompt_tokens"]
    assert grown("tavu_written_bytes_total") == usage["completion_tokens"]
    assert grown("tavu_first_byte_seconds_count") == grown("tavu_first_byte_seconds_bucket", "+Inf") == 1
    assert sum(after[key] - before.get(key, 0) for key in after if key[0] == "tavu_texts_total") == 1


def test_two_servers_count_apart():
    one, other = Metrics(), Metrics()
    one.written_bytes.inc(5)
    assert samples(one.page(writing=1, waiting=2).decode())["tavu_written_bytes_total",] == 5
    assert samples(other.page(writing=0, waiting=0).decode())["tavu_written_bytes_total",] == 0
