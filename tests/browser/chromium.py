"""Debian's Chromium, driven over its DevTools protocol: just what a screenshot and a few questions to a page need."""

import asyncio
import base64
import itertools
import json
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

# No sandbox, because it does not work for root in a container; no background networking, because nothing is to be asked of
# anybody but the service.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", "about:blank",
)  # fmt: skip
PATIENCE = 60
"""Seconds that Chromium may take for one thing, on a machine that others use too."""


def find_chromium() -> str | None:
    """Where Chromium is, if it is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Tab:
    """One page of a browser. ``complaints`` are what its console, its policy and its scripts' failures said."""

    socket: ClientConnection
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer; what comes in between is kept."""
        number = next(self.numbers)
        await self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = await self._receive()
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                return dict(message["result"])

    async def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))
        method, details = message.get("method", ""), message.get("params", {})
        self.events[method].append(details)
        if method == "Runtime.exceptionThrown" or method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(details)[:500])
        elif method == "Log.entryAdded" and details["entry"]["level"] in ("warning", "error"):
            self.complaints.append(f"{details['entry']['text']} {details['entry'].get('url', '')}")
        elif method == "Audits.issueAdded":
            self.complaints.append(json.dumps(details["issue"])[:500])
        elif method == "Network.requestWillBeSent":
            self.asked.append(details["request"]["url"])
        return message

    async def open(self, url: str, *, width: int, dark: bool = False) -> None:
        """Show a page at a width, light or dark, and wait until it is loaded."""
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            await self.send(f"{domain}.enable")
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.complaints.clear()
        self.asked.clear()
        self.events.clear()
        await self.send("Page.navigate", url=url)
        while not self.events["Page.loadEventFired"]:
            await self._receive()

    async def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def screenshot(self, path: Path, *, most: int = 5_000) -> None:
        """Save the whole page as a PNG file, its first ``most`` pixels at most."""
        size = (await self.send("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], most), "scale": 1}
        shot = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    async def print(self, path: Path) -> None:
        """Save the page as a PDF file, as it would come out on A4 paper."""
        printed = await self.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, displayHeaderFooter=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(printed["data"]))


@asynccontextmanager
async def browser(program: str, folder: Path) -> AsyncIterator[Tab]:
    """A browser with one empty page, which ends with the block; ``folder`` is its profile, and new."""
    process = await asyncio.create_subprocess_exec(
        program, *FLAGS[:-1], f"--user-data-dir={folder}", FLAGS[-1],
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            while not (folder / "DevToolsActivePort").exists():  # noqa: ASYNC110 — a file has no event
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.1)
        port, path = (folder / "DevToolsActivePort").read_text().split()
        address = f"ws://127.0.0.1:{port}"
        async with connect(address + path, max_size=None, proxy=None) as socket:
            target = await Tab(socket).send("Target.createTarget", url="about:blank")
            async with connect(f"{address}/devtools/page/{target['targetId']}", max_size=None, proxy=None) as page:
                yield Tab(page)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
