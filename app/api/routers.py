"""Every route of the API, in the order in which an address is held against them."""

from app.api import channels, completeness, digests, feeds, harvests, health, jobs, keys, listings, papers, summaries

ROUTERS = [
    summaries.router,  # before the papers, whose ids may hold slashes
    papers.router,
    listings.router,
    completeness.router,
    harvests.router,
    feeds.router,
    channels.router,
    digests.router,
    jobs.router,
    keys.router,
    health.router,
]
