"""The front page of the site, in a real browser: a reader sees its code. `make browser` runs this.

The site is built anew, as `make docs` does. Looked at is a picture of the whole page: what is covered, transparent or
of the colour of its background is not in it, whatever the HTML says. QODER_SCREENSHOTS names a folder for the pictures.
"""

from __future__ import annotations

import base64
import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from browser.driver import Browser, browser

REPOSITORY = Path(__file__).parent.parent.parent
CHROMEDRIVER = shutil.which("chromedriver")
DESKTOP, PHONE = 1280, 390
HEIGHT = 800

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason="Zensical is not here; `make docs` has it"),
    pytest.mark.skipif(CHROMEDRIVER is None, reason="there is no chromedriver on PATH, nor a browser that it drives"),
]

# Where each block of code is, what is in it, and whether all of it is in view without a scrollbar of its own.
BLOCKS = """
return [...document.querySelectorAll("article pre > code")].map(code => {
    const box = code.parentElement.getBoundingClientRect(), style = getComputedStyle(code)
    const lines = code.getBoundingClientRect()
    return {
        text: code.textContent,
        left: box.left, right: box.right,
        top: lines.top + parseFloat(style.paddingTop), bottom: lines.bottom - parseFloat(style.paddingBottom),
        cut: code.scrollWidth > code.clientWidth || box.right > document.documentElement.clientWidth,
    }
})
"""
# How many pixels of each of these stripes can be told from its background: the contrast is at least 3, as WCAG 2.2 asks
# of large text. The edges of thin letters are fainter than the letters.
READABLE = """
const [picture, stripes] = arguments
const image = new Image()
image.src = "data:image/png;base64," + picture
return image.decode().then(() => {
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d")
    canvas.drawImage(image, 0, 0)
    const channel = value => value <= 10 ? value / 3294 : Math.pow((value / 255 + 0.055) / 1.055, 2.4)
    const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
    return stripes.map(([left, top, right, bottom]) => {
        if (right <= left || bottom <= top) return 0
        const data = canvas.getImageData(left, top, right - left, bottom - top).data, counts = new Map()
        for (let i = 0; i < data.length; i += 4) {
            const colour = data.slice(i, i + 3).join()
            counts.set(colour, (counts.get(colour) || 0) + 1)
        }
        const [background] = [...counts].reduce((one, other) => other[1] > one[1] ? other : one)
        const behind = luminance(background.split(",").map(Number))
        let readable = 0
        for (const [colour, count] of counts) {
            const here = luminance(colour.split(",").map(Number))
            if ((Math.max(here, behind) + 0.05) / (Math.min(here, behind) + 0.05) >= 3) readable += count
        }
        return readable
    })
})
"""


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the standard library
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site, built and served on this machine alone."""
    site = tmp_path_factory.mktemp("built") / "site"
    command = [sys.executable, str(REPOSITORY / "tools" / "build_site.py"), str(site)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert CHROMEDRIVER
    with browser(CHROMEDRIVER, tmp_path_factory.mktemp("chromedriver") / "log") as started:
        yield started


def show(chrome: Browser, address: str, width: int, scheme: str) -> None:
    """Open the page in a window as wide as that, and as high as the page is."""
    chrome.prefer(scheme)
    chrome.resize(width, HEIGHT)
    chrome.open(address)
    chrome.run("localStorage.clear()")  # the page remembers the scheme that it began with
    chrome.open(address)
    chrome.run("return document.fonts.ready.then(() => true)")
    chrome.resize(width, chrome.run("return document.documentElement.scrollHeight"))


def lines_not_seen(chrome: Browser, picture: bytes) -> list[str]:
    """The lines of code that the picture does not show."""
    lines, stripes = [], []
    for block in chrome.run(BLOCKS):
        of_this = block["text"].rstrip("\n").split("\n")
        height = (block["bottom"] - block["top"]) / len(of_this)
        for number, line in enumerate(of_this):
            if line.strip():
                top = block["top"] + number * height
                lines.append(line)
                stripes.append([round(edge) for edge in (block["left"], top, block["right"], top + height)])
    seen = chrome.run(READABLE, base64.b64encode(picture).decode(), stripes)
    # The thinnest letter has a stem of some ten pixels.
    return [line for line, pixels in zip(lines, seen, strict=True) if pixels < 5 * len(line.split())]


def keep(picture: bytes, name: str) -> None:
    if folder := os.environ.get("QODER_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, name).write_bytes(picture)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_the_front_page_shows_its_code(chrome: Browser, address: str, width: int, scheme: str) -> None:
    """Every block of README is there, in its order, and each line of it can be seen; the page asks no other host."""
    show(chrome, address, width, scheme)
    picture = chrome.screenshot()
    keep(picture, f"front-page-{width}-{scheme}.png")
    readme = (REPOSITORY / "README.md").read_text()
    blocks = chrome.run(BLOCKS)
    assert re.findall(r"^```\w+\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL) == [block["text"] for block in blocks]
    assert [] == lines_not_seen(chrome, picture)

    typed = [block["text"] for block in blocks if block["cut"] and f"```sh\n{block['text']}" in readme]
    assert [] == (typed if width == DESKTOP else []), "what a reader types is in view without scrolling"
    assert width >= chrome.run("return document.documentElement.scrollWidth"), "the page does not scroll sideways"
    dark = chrome.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] < 128")
    assert dark == (scheme == "dark")
    loaded = chrome.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded
    assert [] == [name for name in loaded if not name.startswith((address, "data:"))]


@pytest.mark.parametrize(
    "hidden",
    [
        "pre > code { display: none !important }",
        "pre > code, pre > code * { color: transparent !important }",
        "article pre { opacity: 0.2 }",
        "pre > code { height: 2em; overflow: hidden !important; display: block }",
        "body::after { content: ''; position: fixed; inset: 0; background: white; z-index: 99 }",
    ],
)
def test_code_that_is_not_shown_is_missed(chrome: Browser, address: str, hidden: str) -> None:
    """Whatever hides it, as a wrong stylesheet would."""
    show(chrome, address, DESKTOP, "light")
    chrome.run("document.head.appendChild(document.createElement('style')).textContent = arguments[0]", hidden)
    assert lines_not_seen(chrome, chrome.screenshot())
