"""A headless Chrome or Chromium, by the W3C's WebDriver protocol; knows nothing of the site.

`chromedriver` comes with the browser from the system's packages. It listens on 127.0.0.1. The browser finds no host but
that one.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

ARGUMENTS = ["--headless=new", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
if hasattr(os, "geteuid") and os.geteuid() == 0:
    ARGUMENTS.append("--no-sandbox")  # root, as in a container, has none
START_WITHIN_S = 60.0


class Browser:
    """One session: a window with a page."""

    def __init__(self, http: httpx.Client, session: str) -> None:
        self._http = http
        self._session = session

    def _post(self, path: str, **body: Any) -> Any:
        response = self._http.post(f"/session/{self._session}/{path}", json=body)
        assert response.is_success, response.text
        return response.json()["value"]

    def open(self, address: str) -> None:
        """Load a page; return when its stylesheets and scripts are there."""
        self._post("url", url=address)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page, and wait for what it returns, also for a promise."""
        return self._post("execute/sync", script=script, args=arguments)

    def resize(self, width: int, height: int) -> None:
        """Give the page that many pixels of CSS; a window itself has a least width."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """Be `light` or `dark`, as a system is."""
        self._devtools("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def screenshot(self) -> bytes:
        """What the window shows, as PNG."""
        response = self._http.get(f"/session/{self._session}/screenshot")
        assert response.is_success, response.text
        return base64.b64decode(response.json()["value"])

    def _devtools(self, command: str, parameters: Mapping[str, Any]) -> None:
        self._post("goog/cdp/execute", cmd=command, params=parameters)


@contextlib.contextmanager
def browser(chromedriver: str, log: Path) -> Iterator[Browser]:
    """Start both, and stop both."""
    with (
        log.open("w") as errors,
        subprocess.Popen([chromedriver, "--port=0"], stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout
            ports = (re.search(r"started successfully on port (\d+)", line) for line in process.stdout)
            port = next((found[1] for found in ports if found), None)
            assert port, log.read_text()
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=START_WITHIN_S) as http:
                wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": {"args": ARGUMENTS}}}
                response = http.post("/session", json={"capabilities": wanted})
                assert response.is_success, response.text
                session = response.json()["value"]["sessionId"]
                try:
                    yield Browser(http, session)
                finally:
                    http.delete(f"/session/{session}")
        finally:
            process.terminate()
