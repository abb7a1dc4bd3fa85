"""Every route of the API, in the order in which an address is held against them."""

from app.api import channels, completeness, digests, feeds, harvests, health, jobs, listings, papers, summaries

ROUTERS = [
    summaries.router,  # before the papers, whose ids may hold slashes
    papers.router,
    papers.lean,
    listings.router,
    completeness.router,
    harvests.router,
    feeds.router,
    channels.router,
    digests.router,
    jobs.router,
    health.router,
]
