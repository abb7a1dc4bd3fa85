"""A whole fake arXiv over real HTTP, for tests and for use by hand (``python -m tests.fake_arxiv --help``).

``FakeArxiv`` serves what a test scripts (``serve``), or an invented ``World`` in which the truth of every announcement is
known, at a time that the test sets, with ``Faults`` that the test plans.
"""

from tests.fake_arxiv.faults import Fault, Faults
from tests.fake_arxiv.replies import Reply, Request
from tests.fake_arxiv.server import FakeArxiv
from tests.fake_arxiv.world import Event, Truth, World

__all__ = ["Event", "FakeArxiv", "Fault", "Faults", "Reply", "Request", "Truth", "World"]
