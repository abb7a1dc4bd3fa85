"""A copy of the service that lives by its log of changes, and what it must be equal to."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.api import ok

Things = dict[tuple[str, str], Any]


@dataclass
class Mirror:
    """A copy in memory. ``params`` go with every request."""

    client: httpx.AsyncClient
    params: dict[str, Any] = field(default_factory=lambda: {"include": "bodies"})
    things: Things = field(default_factory=dict)
    cursor: str | None = None
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    """Kind, id and change of everything that came, in order."""

    async def page(self) -> dict[str, Any]:
        """Take one page."""
        where = {"cursor": self.cursor} if self.cursor else {}
        page: dict[str, Any] = ok(await self.client.get("/v1/changes", params=self.params | where))
        for item in page["items"]:
            key = (item["kind"], item["id"])
            self.seen.append((*key, item["change"]))
            if item["change"] == "deleted":
                self.things.pop(key, None)
            else:
                self.things[key] = item.get("body")
        self.cursor = page["next_cursor"]
        return page

    async def sync(self) -> list[tuple[str, str, str]]:
        """Take pages until there is no more; what came, in order."""
        before = len(self.seen)
        while (await self.page())["has_more"]:
            pass
        return self.seen[before:]


async def truth(client: httpx.AsyncClient) -> Things:
    """Everything that there is, as the API answers it one by one; digests as in their list."""
    things: Things = {}
    for paper in await _all(client, "/v1/papers"):
        things["paper", paper["arxiv_id"]] = ok(await client.get(f"/v1/papers/{paper['arxiv_id']}"))
    for summary in await _all(client, "/v1/summaries"):
        things["summary", str(summary["id"])] = summary
    for digest in await _all(client, "/v1/digests"):
        things["digest", digest["id"]] = digest
    return things


async def _all(client: httpx.AsyncClient, address: str) -> list[Any]:
    found: list[Any] = []
    params: dict[str, Any] = {"limit": 200}
    while True:
        page = ok(await client.get(address, params=params))
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]


def documented_sync() -> Any:
    """The function ``sync`` of ``docs/sync.md``, as it is printed there."""
    text = (Path(__file__).resolve().parents[1] / "docs" / "sync.md").read_text()
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    return names["sync"]
