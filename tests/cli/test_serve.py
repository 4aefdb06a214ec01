"""tavu serve, started and stopped as a process: local by default, without network access."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from tavu.engine import native
from tests.serving.conftest import ask, model_file, serving  # noqa: F401

pytestmark = pytest.mark.skipif(not native.is_built(), reason="the native engine was not built: no C compiler")


@pytest.fixture
def started(process, model_file):  # noqa: F811
    """started(*options) -> (process, address) of a server that listens."""
    running = []

    def start(*options):
        server = process("serve", model_file, "--port", 0, "--json", *options)
        running.append(server)
        return server, json.loads(server.stdout.readline())["url"]

    yield start
    for server in running:
        if server.poll() is None:
            server.kill()
        server.communicate()


def test_other_hosts_require_a_key(refused, model_file):  # noqa: F811
    assert refused("serve", model_file, "--host", "0.0.0.0").startswith("--host is 0.0.0.0, which others can reach, and without an API key")


def test_what_cannot_be_served_is_an_error(refused, model_file, tmp_path):  # noqa: F811
    (tmp_path / "keys").write_text("plain")
    (tmp_path / "keys").chmod(0o600)
    assert "entry 1 is not a hash" in refused("serve", model_file, "--api-key-file", tmp_path / "keys")
    assert "cannot be listened at" in refused("serve", model_file, "--host", "192.0.2.1", "--api-key-file", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with serving(model_file) as address:
        assert "in use" in refused("serve", model_file, "--port", address.rsplit(":", 1)[1])


def test_it_answers_at_the_address_that_it_prints(started):
    for host in ("127.0.0.2", "localhost", "::1"):
        try:
            socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except OSError:
            continue  # this machine has no such address
        _, address = started("--host", host)
        assert ask(address, "/v1/models")[0] == 200


def test_options_for_pages_proxies_and_other_names(started, refused, model_file, tmp_path):  # noqa: F811
    _, address = started("--allow-host", "host.docker.internal", "--allow-origin", "http://localhost:5173", "--root-path", "/tavu/")
    assert ask(address, "/v1/models", headers={"Host": "host.docker.internal", "Origin": "http://localhost:5173"})[0] == 200
    assert ask(address, "/openapi.json")[2]["servers"] == [{"url": "/tavu"}]
    assert "--root-path is 'tavu', expected a path that begins with a slash" in refused("serve", model_file, "--root-path", "tavu")
    assert "--allow-origin is '*', expected the address of a page" in refused("serve", model_file, "--allow-origin", "*")
    assert "--allow-host is 'a:80', expected a host name without a port" in refused("serve", model_file, "--allow-host", "a:80")


def test_with_a_key_any_host_name_is_accepted_unless_some_are_given(started, tmp_path):
    for options, expected in (((), 200), (("--allow-host", "other.example"), 403)):
        server, address = started("--api-key-file", tmp_path / f"keys{expected}", *options)
        key = {"Authorization": f"Bearer {server.stderr.readline().decode().split()[-1]}"}
        assert ask(address, "/v1/models", headers=key | {"Host": "elsewhere.example"})[0] == expected
        assert ask(address, "/v1/models", headers=key | {"Host": "localhost"})[0] == 200


def test_a_key_is_made_shown_once_and_kept_hashed(started, tmp_path):
    file = tmp_path / "keys"
    server, address = started("--api-key-file", file)
    key = server.stderr.readline().decode().split()[-1]
    assert key.startswith("tavu-") and key not in file.read_text() and file.stat().st_mode & 0o077 == 0
    assert [ask(address, "/v1/models", headers={"Authorization": f"Bearer {one}"})[0] for one in (key, "tavu-no")] == [200, 401]
    server.terminate()
    assert key not in server.communicate()[1].decode()
    _, again = started("--api-key-file", file)
    assert ask(again, "/v1/models", headers={"Authorization": f"Bearer {key}"})[0] == 200


def test_it_stops_cleanly_under_load(started):
    server, address = started()
    answers = []
    clients = [
        threading.Thread(target=lambda i=i: answers.append(ask(address, "/v1/completions", {"max_tokens": 2000, "seed": i, "temperature": 0.5})))
        for i in range(8)
    ]
    for client in clients:
        client.start()
    deadline = time.monotonic() + 10
    while "tavu_texts_writing 8" not in ask(address, "/metrics")[2] and len(answers) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    server.send_signal(signal.SIGTERM)
    for client in clients:
        client.join(30)
    server.wait(30)
    assert [status for status, _, _ in answers] == [200] * 8, "what was begun was ended"
    assert "Traceback" not in server.stderr.read().decode()


def test_a_second_signal_stops_it_sooner_but_still_answers(started):
    server, address = started()
    answers, asked = [], {"prompt": "Once", "max_tokens": 4096, "temperature": 0, "n": 8}
    clients = [threading.Thread(target=lambda: answers.append(ask(address, "/v1/completions", asked))) for _ in range(12)]
    for client in clients:
        client.start()
    deadline = time.monotonic() + 10
    while "tavu_texts_writing 32" not in ask(address, "/metrics")[2] and time.monotonic() < deadline:
        time.sleep(0.005)
    server.send_signal(signal.SIGINT)
    time.sleep(0.2)  # until it has heard
    server.send_signal(signal.SIGINT)
    begun = time.monotonic()
    for client in clients:
        client.join(30)
    server.wait(30)
    assert time.monotonic() - begun < 10 and sorted({status for status, _, _ in answers}) in ([200], [200, 503]) and len(answers) == 12
    assert "Traceback" not in server.stderr.read().decode()


NETWORKLESS = """
import json, subprocess, sys
sys.path.insert(0, {here!r})
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
from tests.serving.conftest import ask
run = [sys.executable, "-c", "from tavu.cli.main import main; main()"]
subprocess.run([*run, "generate", {model!r}, "Once", "--max-bytes", "20"], check=True, stdout=subprocess.DEVNULL)
server = subprocess.Popen([*run, "serve", {model!r}, "--port", "0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
address = json.loads(server.stdout.readline())["url"]
print(json.dumps([ask(address, path)[0] for path in ("/", "/docs", "/page/studio.js", "/v1/models")] + [ask(address, "/v1/completions", {{}})[0]]))
server.terminate()
"""


def test_it_needs_no_network(model_file):  # noqa: F811
    """Everything works in a network namespace with only a loopback device."""
    namespace = ["unshare", "--user", "--map-root-user", "--net"]
    if not (shutil.which("unshare") and shutil.which("ip")) or subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("this system makes no network namespaces")
    from pathlib import Path

    script = NETWORKLESS.format(model=str(model_file), here=str(Path(__file__).parents[2]))
    done = subprocess.run([*namespace, sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) == [200] * 5, done.stderr


def test_it_connects_to_no_other_machine(model_file):  # noqa: F811
    """Python's audit hook sees every name lookup and connection, in every thread: there are none."""
    script = f"""
import sys, threading
heard = []
sys.addaudithook(lambda event, arguments: heard.append(arguments[-1]) if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto") else None)
from tavu.language_model import load
load({str(model_file)!r}).generate("Once", max_bytes=20)
from tavu.serving.api import create_app
from tavu.stored_model import open_model
create_app(open_model({str(model_file)!r}))
assert not heard, heard
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
