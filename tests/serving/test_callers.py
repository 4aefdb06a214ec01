"""Access: host names, origins, proxies and keys."""

import http.client
import json
import logging
import os
import socket
import time
from urllib.parse import urlsplit

import pytest

from tavu.errors import TavuError
from tavu.serving.callers import Callers, callers_of, hostname
from tavu.serving.keys import keys_of, make_key_file, read_key_file
from tests.serving.conftest import ask, completion, serving

PAGE = "http://localhost:5173"


def status_for(address, **headers):
    return ask(address, "/v1/models", headers={name.replace("_", "-"): value for name, value in headers.items()})[0]


def test_only_names_of_this_machine_are_accepted(server):
    port = urlsplit(server).port
    for host in ("localhost", "LOCALHOST", "localhost.", f"LocalHost.:{port}", "127.0.0.1", f"127.0.0.2:{port}", "[::1]", f"[::1]:{port}"):
        assert status_for(server, Host=host) == 200, host
    strangers = ["elsewhere.example", "localhost.elsewhere.example", "192.168.0.5", "localhost:80@elsewhere.example", "elsewhere.example@localhost"]
    for host in (*strangers, "localhost:80:90", "local host", "[::1", "localhost/", "127.0.0.1.elsewhere.example", "host.docker.internal", ""):
        assert status_for(server, Host=host) in (400, 403), host


def test_another_host_name_can_be_allowed(model_file):
    with serving(model_file, callers=callers_of(["Host.Docker.Internal"], [], any_host=False)) as address:
        names = ["host.docker.internal:8000", "HOST.docker.internal.", "localhost", "elsewhere.example"]
        assert [status_for(address, Host=host) for host in names] == [200, 200, 200, 403]
    for wrong in ("http://a.example", "a.example:80", "", "a/b"):
        with pytest.raises(TavuError, match="--allow-host is .*, expected a host name without a port, such as host.docker.internal"):
            callers_of([wrong], [], any_host=False)


def test_an_allowed_origin_can_use_the_api_with_a_key(model_file):
    with serving(model_file, keys=keys_of("right"), callers=callers_of([], [PAGE + "/", "https://a.example:443"], any_host=True)) as address:
        preflight = {
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os",
        }
        status, told, _ = ask(address, "/v1/chat/completions", headers=preflight, method="OPTIONS")
        assert status == 204 and told["access-control-allow-origin"] == PAGE and "POST" in told["access-control-allow-methods"]
        assert told["access-control-allow-headers"] == "authorization,content-type,x-stainless-os" and told["vary"] == "origin"
        key = {"Authorization": "Bearer right"}
        status, told, _ = ask(address, "/v1/models", headers=key | {"Origin": PAGE})
        assert status == 200 and told["access-control-allow-origin"] == PAGE and "retry-after" in told["access-control-expose-headers"]
        status, told, _ = ask(address, "/v1/models", headers={"Origin": PAGE})
        assert status == 401 and told["access-control-allow-origin"] == PAGE, "a page can read what is wrong"
        assert status_for(address, Origin="https://a.example", **key) == 200
        for other in ("http://localhost:5174", "https://localhost:5173", "http://elsewhere.example", "null", PAGE + ".elsewhere.example"):
            for options in ({}, {"Access-Control-Request-Method": "POST"}):
                status, told, _ = ask(address, "/v1/models", headers=key | {"Origin": other} | options, method="OPTIONS" if options else None)
                assert status == 403 and "access-control-allow-origin" not in told and told["vary"] == "origin"
        assert "access-control-allow-credentials" not in told
    for wrong in ("*", "localhost:5173", "http://a.example/page", "null", "ftp://a.example"):
        with pytest.raises(TavuError, match="--allow-origin is .*, expected the address of a page without its path, such as http://localhost:5173"):
            callers_of([], [wrong], any_host=False)


def test_without_the_option_there_are_no_cors_headers(server):
    _, told, _ = ask(server, "/v1/models", headers={"Origin": server})
    assert not any(name.startswith("access-control") for name in told)


@pytest.mark.parametrize("strips", [True, False])
def test_paths_work_behind_a_proxy_with_a_prefix(model_file, strips):
    with serving(model_file, root_path="/tavu") as address:
        before = "" if strips else "/tavu"
        told = ask(address, f"{before}/openapi.json")[2]
        assert told["servers"] == [{"url": "/tavu"}] and "/v1/completions" in told["paths"]
        assert [ask(address, before + path)[0] for path in ("/", "/docs", "/page/studio.js", "/v1/models", "/healthz")] == [200] * 5
        report = ask(address, f"{before}/studio/facts")[2]["report"]
        assert not report.startswith("/"), "it is found from wherever the page lies"
        status, headers, page = ask(address, f"{before}/{report}")
        assert status == 200 and "How it learned" in page and "sandbox" in headers["content-security-policy"]
        assert ask(address, f"{before}/v1/completions", {"prompt": "Once", "max_tokens": 5})[0] == 200
        assert ask(address, "/tavuish/healthz")[0] == 404
        status, _, page = ask(address, "/tavu")
        assert status == 200 and page == ask(address, f"{before}/")[2]


def test_a_prefix_does_not_bypass_the_key(model_file):
    with serving(model_file, root_path="/tavu", keys=keys_of("right"), callers=Callers(any_host=True)) as address:
        paths = ("/v1/models", "/tavu/v1/models", "/tavu/tavu/v1/models", "/tavu/page/../v1/models", "/page/../v1/models", "//v1/models")
        assert all(ask(address, path)[0] in (401, 404) for path in paths)


@pytest.mark.skipif(os.name != "posix", reason="permissions are another matter there")
@pytest.mark.parametrize(("mode", "is_refused"), [(0o600, False), (0o644, False), (0o664, True), (0o646, True), (0o666, True)])
def test_a_key_file_that_others_may_write_is_refused(tmp_path, mode, is_refused):
    make_key_file(tmp_path / "keys", "tavu-one")
    (tmp_path / "keys").chmod(mode)
    if not is_refused:
        assert read_key_file(tmp_path / "keys").opens("tavu-one")
        return
    with pytest.raises(TavuError, match="may be written by others.* Run `chmod 600"):
        read_key_file(tmp_path / "keys")
    (tmp_path / "keys").chmod(0o600)  # follow the advice
    assert read_key_file(tmp_path / "keys").opens("tavu-one")


def test_nothing_that_a_client_sends_is_logged(server, caplog):
    caplog.set_level(logging.INFO, "tavu.serving")
    where = urlsplit(server)
    for line in ("MYSECRETMETHOD /healthz", "GET /mysecretpath", "GET /healthz?mysecretquery=1"):
        client = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
        client.putrequest(*line.split())
        client.putheader("X-Mysecret", "mysecret")
        client.endheaders()
        client.getresponse().read()
        client.close()
    time.sleep(0.05)
    assert "? /healthz 405" in caplog.text and "GET other 404" in caplog.text and "mysecret" not in caplog.text.lower()
    assert "mysecret" not in ask(server, "/metrics")[2].lower()


def test_a_request_without_a_host_needs_a_key(server, model_file):
    def asked(address, *lines):
        where = urlsplit(address)
        with socket.create_connection((where.hostname, where.port), timeout=5) as client:
            client.sendall("\r\n".join(["GET /v1/models HTTP/1.0", *lines, "", ""]).encode())
            return client.recv(4096).split(b" ")[1]

    assert asked(server) == b"403"
    with serving(model_file, keys=keys_of("right"), callers=Callers(any_host=True)) as address:
        key = "Authorization: Bearer right"
        assert [asked(address, key), asked(address), asked(address, key, "Host: a@b")] == [b"200", b"401", b"403"]


def test_names_of_hosts():
    assert hostname("Example.ORG.:80") == "example.org" and hostname("[2001:DB8::1]") == "[2001:db8::1]"
    assert [hostname(host) for host in ("", ".", "a..", "-", "a b", "a:b", "a@b", "[::1]x", "ä")] == [None] * 9


def test_the_studios_own_origin_is_accepted(server):
    told = completion(server, prompt="Once", max_tokens=5)
    status, _, again = ask(server, "/v1/completions", {"prompt": "Once", "max_tokens": 5}, {"Origin": server.upper().replace("HTTP", "http")})
    assert status == 200 and len(json.dumps(again)) and told["object"] == again["object"]
