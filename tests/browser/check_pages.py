"""The pages in a real browser: nothing sticks out, nothing runs, nothing is loaded, text can be read; and pictures of them.

Not part of the suite (its name is not a test's, and a machine need not have a browser): ``make test-browser``. The pictures
are in ``build/screenshots/``, for people to look at.
"""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.ingestion import Tools
from tests.api import at
from tests.browser.chromium import Tab, browser, find_chromium
from tests.browser.scenes import NOW, busy_tools, fill, listening
from tests.web.scene import put_digest, put_listing

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium fonts-noto-cjk"
)
PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots"

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
[...document.querySelectorAll('h3 a, .newest a, .row a, .pager a, .languages a, .home, summary, td.digest a, .branches a, '
  + '.forms a, .summaries a, .links a, .back, .digest > header a')]
  .filter(one => one.getClientRects().length && one.getBoundingClientRect().height < 43.5)
  .slice(0, 5).map(one => one.outerHTML.slice(0, 120) + ' ' + one.getBoundingClientRect().height)
"""
# Paragraphs of three lines and more whose lines have more than 95 characters.
LONG_LINES = """
[...document.querySelectorAll('main p')].filter(one => {
  const lines = Math.round(one.clientHeight / parseFloat(getComputedStyle(one).lineHeight));
  return lines > 2 && one.textContent.length / lines > 95;
}).slice(0, 5).map(one => one.outerHTML.slice(0, 120))
"""
HEADINGS = "[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))"


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    """A browser's page."""
    assert CHROMIUM
    async with browser(CHROMIUM, tmp_path / "profile") as page:
        yield page


async def test_a_busy_service_can_be_read(tab: Tab, tools: Tools, database_url: str, tmp_path: Path) -> None:
    tools = busy_tools(tools)
    async with listening(tools) as url:
        digests = await fill(tools, database_url, tmp_path, url)
        await check(tab, url, {
            "home": "/",
            "home-zh": "/?language=zh-Hans",
            "channel": "/channels/cs.CL",
            "channel-zh": "/channels/cs.CL?language=zh-Hans&month=2025-12",
            "channel-rules": "/channels/small-models?language=de",
            "channel-hostile": "/channels/hostile?month=2026-01",
            "not-found": "/channels/nix",
            **{name: path for name, path in digests.items() if not name.startswith("day")},
        })  # fmt: skip
        for name in ("digest", "digest-zh", "digest-hostile"):
            await tab.open(url + digests[name], width=1280)
            await tab.print(PICTURES / f"{name}.pdf")


async def test_a_new_service_can_be_read(tab: Tab, tools: Tools) -> None:
    tools = at(tools, NOW)
    async with listening(tools) as url:
        await check(tab, url, {"new-home": "/", "new-channel": "/channels/cs.CL?language=ja"})
        await put_listing(tools, NOW.date(), papers=5)
        await put_digest(tools, NOW.date())
        await check(tab, url, {"one-home": "/?language=zh-Hans", "one-channel": "/channels/cs.CL?language=zh-Hant"})


async def check(tab: Tab, url: str, pages: dict[str, str]) -> None:
    """Look at each page at each width, light and dark: all complaints together, so that one run shows them all."""
    wrong: list[str] = []
    for name, path in pages.items():
        for width, dark in ((320, False), (390, False), (390, True), (1280, False), (1280, True)):
            await tab.open(url + path, width=width, dark=dark)
            where = f"{name}-{width}-{'dark' if dark else 'light'}"
            wrong += [f"{where}: {complaint}" for complaint in await complaints(tab, url + path, width)]
            if width != 320:
                await tab.screenshot(PICTURES / f"{where}.png")
    assert not wrong, "\n".join(wrong)


async def complaints(tab: Tab, url: str, width: int) -> list[str]:
    """What is wrong with the page that is open."""
    found = [f"said {one}" for one in tab.complaints if "favicon" not in one and "404 (Not Found)" not in one]
    found += [f"asked for {one}" for one in tab.asked if one != url and not one.endswith("/favicon.ico")]
    questions = {
        "sticks out by": OVERFLOW,
        "outside": OUTSIDE,
        "raw TeX": TEX,
        "contrast": CONTRAST,
        "long lines": LONG_LINES,
    }
    if width < 600:
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
