"""Every route of the API, in the order in which an address is held against them."""

from app.api import (
    changes,
    channels,
    completeness,
    digests,
    feeds,
    harvests,
    health,
    jobs,
    keys,
    listings,
    papers,
    similar,
    summaries,
)

ROUTERS = [
    summaries.router,  # before the papers, whose ids may hold slashes
    similar.router,  # the same
    papers.router,
    listings.router,
    completeness.router,
    harvests.router,
    feeds.router,
    channels.router,
    digests.router,
    changes.router,
    jobs.router,
    keys.router,
    health.router,
]
