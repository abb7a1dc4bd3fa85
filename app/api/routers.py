"""Every route of the API, in the order in which an address is held against them."""

from app.api import changes, channels, completeness, digests, feeds, harvests, health, jobs, listings, papers, summaries

ROUTERS = [
    summaries.router,  # before the papers, whose ids may hold slashes
    papers.router,
    listings.router,
    completeness.router,
    harvests.router,
    feeds.router,
    channels.router,
    digests.router,
    changes.router,
    jobs.router,
    health.router,
]
