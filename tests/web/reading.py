"""Reads a page as a browser would, by lxml, and checks what holds for every page."""

import base64
import hashlib
import itertools
import re
from typing import Any

import httpx
from lxml import html

from app.render.phrases import ACKNOWLEDGEMENT


def read(answer: httpx.Response, status: int = 200) -> Any:
    """The root element of a page, after checking its headers and what every page owes to its readers."""
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["vary"] == "Accept-Language"
    assert answer.headers["x-content-type-options"] == "nosniff"
    page = html.document_fromstring(answer.content.decode())
    _check_policy(answer.headers["content-security-policy"], answer.text)
    assert not page.xpath("//script | //img | //iframe | //form | //@style | //@onclick | //@onerror | //base")
    assert not [one for one in page.xpath("//@href") if not re.match(r"/|#|http://zhaiyao\.test/", one)], page.xpath(
        "//@href"
    )
    assert page.get("lang") == answer.headers["content-language"]
    assert page.get("dir") in ("ltr", "rtl")
    for landmark in ("main", "header", "footer"):
        assert len(page.xpath(f"//body/{landmark}")) == 1, landmark
    levels = [int(one.tag[1]) for one in page.xpath("//h1 | //h2 | //h3 | //h4")]
    assert levels.count(1) == 1 and all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels
    assert all(seen(one) or one.get("aria-label") for one in page.xpath("//a")), "a link without words"
    assert len(page.xpath("//@id")) == len(set(page.xpath("//@id")))
    for table in page.xpath("//table"):
        assert seen(table.find("caption"))
        assert all(one.get("scope") for one in table.xpath(".//th"))
    assert ACKNOWLEDGEMENT in seen(page.find(".//footer"))
    return page


def _check_policy(policy: str, text: str) -> None:
    style = text.partition("<style>")[2].partition("</style>")[0]
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ") and f"style-src 'sha256-{allowed}'" in policy
    assert "unsafe" not in policy and text.count("<style") == 1


def seen(element: Any) -> str:
    """The text of an element, on one line."""
    return " ".join(element.text_content().split())


def card(page: Any, slug: str) -> Any:
    """A channel's card on the home page."""
    [found] = [one for one in page.xpath("//article") if one.xpath(f".//h3/a[starts-with(@href, '/channels/{slug}')]")]
    return found


def cell(page: Any, day: object) -> Any:
    """A day of the calendar."""
    [found] = page.xpath(f"//table//td[.//time[@datetime='{day}']]")
    return found
