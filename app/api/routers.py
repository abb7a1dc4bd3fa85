"""Every route of the API, in the order in which an address is held against them."""

from app.api import (
    changes,
    channels,
    completeness,
    digests,
    exports,
    feeds,
    harvests,
    health,
    jobs,
    keys,
    lean,
    listings,
    papers,
    similar,
    summaries,
)

ROUTERS = [
    summaries.router,  # before the papers, whose ids may hold slashes
    similar.router,  # the same
    papers.router,
    papers.lean,
    exports.router,
    listings.router,
    completeness.router,
    harvests.router,
    feeds.router,
    channels.router,
    channels.lean,
    digests.router,
    changes.router,
    digests.lean,
    jobs.router,
    keys.router,
    health.router,
]

FIRST = [
    lean.first("/v1/papers", papers.list_papers),
    lean.first("/v1/papers/{arxiv_id:plain_id}", papers.get_paper),
    lean.first("/v1/digests/{id:plain}.{format:plain}", digests.get_rendered),
    lean.first("/v1/digests/{id:plain}", digests.get_digest),
]
"""What is asked most, before all others."""
