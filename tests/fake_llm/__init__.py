"""A fake OpenAI-compatible endpoint over real HTTP, for tests and for use by hand (``python -m tests.fake_llm --help``).

``FakeLLM`` answers as a good model does, with ``good_answer``, except where a ``Recipe`` says what is to go wrong.
"""

from tests.fake_llm.answers import good_answer
from tests.fake_llm.recipes import BAD, Recipe, Recipes
from tests.fake_llm.records import Request
from tests.fake_llm.server import FakeLLM

__all__ = ["BAD", "FakeLLM", "Recipe", "Recipes", "Request", "good_answer"]
