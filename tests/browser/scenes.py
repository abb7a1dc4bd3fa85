"""Services that listen, for the browser: a new one, and one in which something of everything happened."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from app import sample
from app.ingestion import Tools, ingest
from app.main import create_app
from app.worker import work_off
from tests.api import at, eastern, execute, ok, store
from tests.feeds import TUESDAY, WEDNESDAY, Item
from tests.web.scene import put_channel, put_listing

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

# Sentences that a translation of any paper may have; how many, and which, goes by the paper's number.
TRANSLATED: dict[str, dict[str, list[str]]] = {
    "zh": {
        "title": ["小型语言模型的高效微调方法", "面向长文档问答的检索增强：一项覆盖 12 种语言的系统性评测", "再论注意力机制"],
        "tldr": [
            "本文提出一种不增加参数量的高效微调方法，在 $n$ 个任务上优于现有方法。",
            "作者发布包含 12,300 条目录的树库 GardenBank，并用 BERT 等模型测得附着得分为 41%，说明拉丁文园艺文本仍很困难。",
        ],
        "abstract": [
            "我们提出一种方法，在不增加参数量的情况下提升模型在 $n$ 个任务上的表现。",
            "其误差不超过 $\\frac{1}{n}$，训练时间为 $O(n \\log n)$。",
            "在 GLUE 与 SuperGLUE 上的实验表明，该方法比 LoRA 平均高出 2.4 个百分点，而显存占用只有后者的一半。",
            "代码和数据已在 https://example.org/small-models 公开。",
        ],
    },
    "ja": {
        "title": ["小規模言語モデルの効率的なファインチューニング", "注意機構の再考：12言語における体系的な評価"],
        "tldr": ["パラメータ数を増やさずに、$n$ 個のタスクで既存手法を上回るファインチューニング手法を提案する。"],
        "abstract": [
            "本研究では、パラメータ数を増やすことなくモデルの性能を高める手法を提案する。",
            "GLUE と SuperGLUE での実験により、LoRA を平均で 2.4 ポイント上回ることを示した。",
            "誤差は $\\frac{1}{n}$ を超えない。",
        ],
    },
    "ar": {
        "title": ["ضبط فعّال لنماذج اللغة الصغيرة", "إعادة النظر في آلية الانتباه: تقييم منهجي عبر 12 لغة"],
        "tldr": ["نقترح طريقة لضبط النماذج دون زيادة عدد المعاملات، وتتفوّق على LoRA في $n$ مهمة."],
        "abstract": [
            "نقدّم طريقة ترفع أداء النموذج دون زيادة عدد معاملاته.",
            "تُظهر التجارب على GLUE تفوقًا قدره 2.4 نقطة في المتوسط.",
            "الخطأ لا يتجاوز $\\frac{1}{n}$.",
        ],
    },
}  # fmt: skip


def translation(language: str, number: int) -> dict[str, str]:
    """The texts of a paper's human translation, as PUT takes them."""
    texts = TRANSLATED[language]
    sentences = itertools.islice(itertools.cycle(texts["abstract"]), 2 + number % 5)
    return {
        "title": texts["title"][number % len(texts["title"])],
        "tldr": texts["tldr"][number % len(texts["tldr"])],
        "abstract": ("" if language in ("zh", "ja") else " ").join(sentences),
        "tldr_en": "We fine-tune small language models without more parameters.",
    }


@asynccontextmanager
async def listening(tools: Tools) -> AsyncIterator[str]:
    """A service at a port of this machine; its address."""
    socket_ = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(tools), log_config=None, lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve([socket_]))
    try:
        yield f"http://127.0.0.1:{socket_.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


def busy_tools(tools: Tools) -> Tools:
    """Tools of a service that follows four channels, on a Friday morning."""
    categories = ("cs.CL", "stat.ML", "math.NA", "econ")
    settings = tools.settings.model_copy(update={"languages": ("en",), "categories": categories})
    return at(replace(tools, settings=settings), NOW)


async def fill(tools: Tools, database_url: str, folder: Path, url: str) -> dict[str, str]:
    """Have the bundled listings, a day of hostile papers, and channels and digests in every state; pages by name."""
    for file in sample.files():
        await ingest(tools, file.category, source=str(file.path), compose=False)
    await store(tools, folder, "cs.CL", THURSDAY, *HOSTILE)
    await _put_channels(tools)
    await _put_states(tools)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await work_off(tools, database_url)
        papers = ok(await client.get("/v1/papers", params={"limit": 200}))["items"]
        ids = sorted(paper["arxiv_id"] for paper in papers if not paper["arxiv_id"].startswith("2601.95"))
        for language, (number, arxiv_id) in itertools.product(TRANSLATED, enumerate(ids)):
            ok(await client.put(f"/v1/papers/{arxiv_id}/summaries/{language}", json=translation(language, number)), 201)
        ok(await client.put("/v1/papers/2601.95004/summaries/zh", json=translation("zh", 3)), 201)
        days = {"from": str(TUESDAY), "to": str(WEDNESDAY)}
        wanted: dict[str, dict[str, Any]] = {
            "digest": {"channel": "sample", **days, "language": "en"},
            "digest-zh": {"channel": "sample", **days, "language": "zh"},
            "digest-ja": {"channel": "sample", **days, "language": "ja"},
            "digest-ar": {"channel": "sample", **days, "language": "ar"},
            "digest-hostile": {"channel": "cs.CL", "date": str(THURSDAY), "language": "zh"},
            "digest-hostile-en": {"channel": "cs.CL", "date": str(THURSDAY), "language": "en"},
            "digest-empty": {"channel": "cs.CL", "date": "2026-01-12", "language": "en"},
            "digest-failed": {"channel": "cs.CL", "date": "2026-01-08", "language": "zh"},
            "digest-one": {"paper_ids": ids[:1], "title": "One paper", "language": "zh"},
            "day-1": {"channel": "cs.CL", "date": str(TUESDAY), "language": "en"},
            "day-2": {"channel": "cs.CL", "date": str(WEDNESDAY), "language": "en"},
            "day-3": {"channel": "stat.ML", "date": str(WEDNESDAY), "language": "en"},
        }
        return {name: await _compose(client, digest) for name, digest in wanted.items()}


async def _put_channels(tools: Tools) -> None:
    await put_channel(
        tools, "small-models", "Small language models, agents and everything else", "cs.CL", "stat.ML",
        query='"language model" OR agents', authors=["Ada Sample"], exclude_words=["survey"], language="en",
    )  # fmt: skip
    await put_channel(tools, "hostile", "<script>alert(1)</script> \u202eevil " + "W" * 200, "math.NA")
    await put_channel(tools, "sample", "小模型与统计学习", "cs.CL", "stat.ML", schedule="weekly", weekday=3)
    await put_channel(tools, "economy", "Économie et finance", "econ", "q-fin", schedule="monthly", size_limit=20)
    await put_channel(tools, "arabic", "نماذج اللغة", "cs.CL", language="ar")


async def _put_states(tools: Tools) -> None:
    today = NOW.date()
    await put_listing(tools, today, "failed", category="math.NA", reason="The server answered 503 Service Unavailable.")
    await put_listing(tools, today, "stale", category="stat.ML", reason="40 of its 41 items were listed before.")
    await put_listing(tools, date(2026, 1, 12), "empty", category="cs.CL")
    await put_listing(tools, date(2026, 1, 8), "failed", category="cs.CL", reason="No connection.")
    await execute(
        tools,
        "INSERT INTO model_states (name, stopped_at, reason) VALUES ('gpt-5-nano', now(), 'The API key was refused (401).')",
    )


async def _compose(client: httpx.AsyncClient, wanted: dict[str, Any]) -> str:
    answer = await client.post("/v1/digests", json=wanted)
    assert answer.status_code in (200, 201), (wanted, answer.text)
    return f"/v1/digests/{answer.json()['id']}.html"
