"""Debian's Firefox, driven by WebDriver BiDi, which it speaks itself: https://w3c.github.io/webdriver-bidi."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One window of a browser of its own. A context manager."""

    def __init__(self, profile: Path):
        from websockets.sync.client import connect

        command = [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
        environment = os.environ | {"HOME": str(profile)}
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
        assert self._process.stderr
        address = next(found[1] for line in self._process.stderr if (found := re.search(r"BiDi listening on (ws://\S+)", line)))
        self._connecting = connect(f"{address}/session", max_size=None)
        self._num_calls = 0
        self.requests: list[str] = []
        """The addresses that pages asked for."""

    def __enter__(self) -> "Firefox":
        self._socket = self._connecting.__enter__()
        self._call("session.new", capabilities={})
        self._call("session.subscribe", events=["network.beforeRequestSent"])
        self._window = self._call("browsingContext.getTree")["contexts"][0]["context"]
        return self

    def __exit__(self, *error: object) -> None:
        self._connecting.__exit__(*error)
        self._process.terminate()
        self._process.communicate(timeout=30)

    def open(self, path: Path) -> None:
        self._call("browsingContext.navigate", context=self._window, url=path.as_uri(), wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript: a text, number, truth value or null."""
        told = self._call("script.evaluate", expression=expression, target={"context": self._window}, awaitPromise=True)
        assert told["type"] == "success", told
        return told["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60) -> Any:
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end, f"{expression} did not come true"
            time.sleep(0.05)
        return value

    def _call(self, method: str, **params: object) -> Any:
        self._num_calls += 1
        self._socket.send(json.dumps({"id": self._num_calls, "method": method, "params": params}))
        while (told := json.loads(self._socket.recv(timeout=60))).get("id") != self._num_calls:
            if told.get("method") == "network.beforeRequestSent":
                self.requests.append(told["params"]["request"]["url"])
        assert told["type"] == "success", told
        return told["result"]
