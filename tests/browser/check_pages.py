"""The pages in a real browser: nothing sticks out, nothing runs, nothing is loaded, text can be read; and pictures of them.

Not part of the suite (its name is not a test's, and a machine need not have a browser): ``make test-browser``. The pictures
are in ``build/screenshots/``, for people to look at.
"""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from app import sample
from app.ingestion import Tools, ingest
from app.main import create_app
from app.worker import work_off
from tests.api import at, eastern, ok, store
from tests.browser.chromium import Tab, browser, find_chromium
from tests.feeds import Item
from tests.web.scene import put_channel, put_listing

PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots"
NOW = eastern(date(2026, 1, 16), 9)
THURSDAY = date(2026, 1, 15)

HOSTILE = (
    Item("2601.95001", title="A" * 300, abstract="One word of three hundred letters: " + "b" * 300 + ". It must wrap."),
    Item(
        "2601.95002",
        title="Bounds of $" + " + ".join(f"\\frac{{x_{{{n}}}^{{2}}}}{{\\sqrt{{{n}}}}}" for n in range(2, 40)) + "$ and more",
        abstract="We bound $$\\sum_{i=1}^{n} \\int_0^1 \\left( \\frac{a_i x^{i}}{1 + x} \\right) \\mathrm{d}x \\leq "
        + "C \\cdot " * 20 + "1$$ for every $n$. It costs \\$5.",
    ),
    Item(
        "2601.95003",
        title="\u200fשלום עולם: מודלים של שפה\u202e \u202bgnp.exe",
        abstract="بسم الله نموذج لغوي كبير. English follows.",
    ),
    Item(
        "2601.95004",
        title="<script>document.title='owned'</script><img src=x onerror=alert(1)>",
        abstract="</style><script>document.title='owned'</script> javascript:alert(1) ]]> &lt;b&gt; "
        "$\\href{javascript:alert(1)}{x}$",
        creator="<b>Bobby</b> Tables, " + ", ".join(f"Author Number{n} With-A-Rather-Long-Name" for n in range(60)),
    ),
)  # fmt: skip

CHINESE = {
    "title": "小型语言模型的高效微调方法",
    "abstract": "我们提出一种方法，在不增加参数量的情况下提升模型在 $n$ 个任务上的表现：其误差不超过 $\\frac{1}{n}$。"
    * 4,
    "tldr": "本文提出一种不增加参数量的高效微调方法，在多个任务上优于现有方法。",
    "tldr_en": "We fine-tune small language models without more parameters.",
}

# What a page must be like, as questions to it: each answer should be empty. WIDTH is the screen's: on a phone, innerWidth
# grows with a page that is too wide.
OVERFLOW = "Math.max(0, document.documentElement.scrollWidth - WIDTH)"
OUTSIDE = """
[...document.body.querySelectorAll('*')].filter(one => {
  const box = one.getBoundingClientRect();
  if (!box.width || !box.height || one.closest('.skip, .hidden, .word, thead, details:not([open])')) return false;
  for (let up = one.parentElement; up; up = up.parentElement)
    if (getComputedStyle(up).overflowX !== 'visible') return false;
  return box.left < -1 || box.right > WIDTH + 1;
}).slice(0, 5).map(one => one.outerHTML.slice(0, 120))
"""
TEX = r"""
(() => { const found = []; const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (/\$[^$]*[\\^_][^$]*\$/.test(walk.currentNode.data)) found.push(walk.currentNode.data.slice(0, 120));
  return found.slice(0, 5) })()
"""
# The contrast of WCAG 2.1 between each text and the nearest background that is painted.
CONTRAST = """
(() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = v => v / 255 <= .03928 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = rgb => { const [r, g, b] = rgb.slice(0, 3).map(linear); return .2126 * r + .7152 * g + .0722 * b };
  const behind = one => { for (; one; one = one.parentElement) { const back = parse(getComputedStyle(one).backgroundColor);
    if (back.length === 3 || back[3] > 0) return back } return [255, 255, 255] };
  const found = new Map(); const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) { const one = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !one.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) found.set(one.className + '|' + one.tagName, ratio.toFixed(2) + ' ' + walk.currentNode.data.slice(0, 40)) }
  return [...found].slice(0, 8) })()
"""
SMALL_TARGETS = """
[...document.querySelectorAll('h3 a, .newest a, .row a, .pager a, .languages a, .home, summary, td.digest a, .branches a')]
  .filter(one => one.getClientRects().length && one.getBoundingClientRect().height < 43.5)
  .slice(0, 5).map(one => one.outerHTML.slice(0, 120) + ' ' + one.getBoundingClientRect().height)
"""
HEADINGS = "[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))"


@dataclass(frozen=True)
class Site:
    """A service that listens, and two digests of it: one in English and one with hostile papers, in Chinese as well."""

    url: str
    digest: str
    chinese: str


@pytest.fixture
def chromium() -> str:
    """Where Chromium is; without it there is nothing to look with."""
    return find_chromium() or pytest.skip("no Chromium on this machine: apt-get install chromium fonts-noto-cjk")


@pytest.fixture
async def site(chromium: str, tools: Tools, database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """The bundled listing, read, summarised and composed, a day of hostile papers, and channels in every state."""
    settings = tools.settings.model_copy(
        update={"languages": ("en",), "categories": ("cs.CL", "stat.ML", "math.NA", "econ")}
    )
    tools = at(replace(tools, settings=settings), NOW)
    for file in sample.files():
        await ingest(tools, file.category, source=str(file.path), compose=False)
    await store(tools, tmp_path, "cs.CL", THURSDAY, *HOSTILE)
    await put_channel(
        tools, "small-models", "Small language models, agents and everything else", "cs.CL", "stat.ML",
        query='"language model" OR agents', authors=["Ada Sample"], exclude_words=["survey"], language="en",
    )  # fmt: skip
    await put_channel(tools, "hostile", "<script>alert(1)</script> \u202eevil " + "W" * 200, "math.NA")
    await put_listing(
        tools, NOW.date(), "failed", category="math.NA", reason="The server answered 503 Service Unavailable."
    )
    await put_listing(tools, NOW.date(), "stale", category="stat.ML", reason="40 of its 41 items were listed before.")
    await put_listing(tools, date(2026, 1, 12), "empty", category="cs.CL")
    await put_listing(tools, date(2026, 1, 8), "failed", category="cs.CL", reason="No connection.")
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(create_app(tools), log_config=None, lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            [paper] = ok(await client.get("/v1/papers", params={"category": "cs.CL", "limit": 1}))["items"]
            await client.put(f"/v1/papers/{paper['arxiv_id']}/summaries/zh", json=CHINESE)
            ids = [
                await _compose(client, channel="cs.CL", date=day) for day in ("2026-01-13", "2026-01-14", "2026-01-15")
            ]
            ids.append(await _compose(client, channel="stat.ML", date="2026-01-14"))
            await _compose(client, channel="cs.CL", **{"from": "2026-01-13", "to": "2026-01-15"})
            await work_off(tools, database_url)
            await _compose(client, channel="cs.CL", date="2026-01-14")
            chinese = await _compose(client, channel="cs.CL", date="2026-01-15", language="zh")
        yield Site(url, ids[1], chinese)
    finally:
        server.should_exit = True
        await serving


async def _compose(client: httpx.AsyncClient, **wanted: Any) -> str:
    answer = await client.post("/v1/digests", json=wanted)
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


async def test_pages_can_be_read(chromium: str, site: Site, tmp_path: Path) -> None:
    """Each page at each width, light and dark: all complaints together, so that one run shows them all."""
    pages = {
        "home": "/",
        "home-zh": "/?language=zh-Hans",
        "channel": "/channels/cs.CL",
        "channel-rules": "/channels/small-models?language=de",
        "channel-hostile": "/channels/hostile?month=2026-01",
        "not-found": "/channels/nix",
        "digest": f"/v1/digests/{site.digest}.html",
        "digest-hostile": f"/v1/digests/{site.chinese}.html",
    }
    wrong: list[str] = []
    async with browser(chromium, tmp_path / "profile") as tab:
        for name, path in pages.items():
            for width in (320, 390, 1280):
                for dark in (False, True):
                    if width == 320 and dark:
                        continue
                    await tab.open(site.url + path, width=width, dark=dark)
                    where = f"{name}-{width}-{'dark' if dark else 'light'}"
                    wrong += [f"{where}: {complaint}" for complaint in await complaints(tab, site.url + path, width)]
                    if width != 320:
                        await tab.screenshot(PICTURES / f"{where}.png")
    assert not wrong, "\n".join(wrong)


async def complaints(tab: Tab, url: str, width: int) -> list[str]:
    """What is wrong with the page that is open."""
    found = [f"said {one}" for one in tab.complaints if "favicon" not in one and "404 (Not Found)" not in one]
    found += [f"asked for {one}" for one in tab.asked if one != url and not one.endswith("/favicon.ico")]
    questions = {"sticks out by": OVERFLOW, "outside": OUTSIDE, "raw TeX": TEX, "contrast": CONTRAST}
    if width < 600 and "/v1/digests/" not in url:
        questions["small target"] = SMALL_TARGETS
    for word, question in questions.items():
        if answer := await tab.ask(question.replace("WIDTH", str(width))):
            found.append(f"{word} {answer}")
    if await tab.ask("document.title === 'owned' || document.scripts.length > 0"):
        found.append("a script got in")
    levels = await tab.ask(HEADINGS)
    if levels.count(1) != 1 or any(after > before + 1 for before, after in itertools.pairwise(levels)):
        found.append(f"headings {levels}")
    if not await tab.ask(
        "document.documentElement.lang && !!document.querySelector('main') && !!document.querySelector('footer')"
    ):
        found.append("no language, main or footer")
    return found
