"""The configured models in their order: the first is asked, the others stand in while it cannot answer."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from app.llm.answers import BrokenAnswer, parse_answer
from app.llm.base import CallFailed, Detail, Expected, Mode, PaperText, SummaryDraft, Trouble
from app.llm.checks import Finding, check
from app.llm.glossary import Glossary
from app.llm.prices import PriceOverride, cost, estimate
from app.llm.prompts import build, prompt_version

if TYPE_CHECKING:
    from app.llm.chat import LanguageModel


_CUT = Finding("source-cut", "The text is so long that only its beginning was sent to the model.", is_fault=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call gave: for each language a draft with what the checks found, and what the call used."""

    drafts: Mapping[str, tuple[SummaryDraft, tuple[Finding, ...]]]
    input_tokens: int
    output_tokens: int
    cost: float | None
    rest: timedelta | None


class ModelChain:
    """The models, and what every call of them has in common. Fits ``Summariser`` but for ``summarize``: calls of models are
    limited, counted and paid for, which is the business of ``app.summarizing``.
    """

    origin = "llm"

    def __init__(
        self,
        models: "Sequence[LanguageModel]",
        *,
        fields: Sequence[str] = (),
        glossary: Glossary | None = None,
        price: PriceOverride | None = None,
    ) -> None:
        self.models = tuple(models)
        self.fields = tuple(fields)
        self.glossary = glossary or Glossary.empty()
        self.price = price

    @property
    def model(self) -> str:
        """The model that summaries are asked of."""
        return self.models[0].model

    @property
    def provider(self) -> str:
        """Where the first model is."""
        return self.models[0].provider

    @property
    def prompt_version(self) -> str:
        """The version of the prompt, with what was configured about it."""
        return prompt_version(self.fields, self.glossary)

    def expect(self, model: "LanguageModel", paper: PaperText, languages: Sequence[str], detail: Detail) -> Expected:
        """What a call would use."""
        input_tokens, output_tokens = estimate(paper, languages, detail, self.fields, self.glossary)
        return Expected(input_tokens, output_tokens, self.cost(model, input_tokens, output_tokens))

    def cost(self, model: "LanguageModel", input_tokens: int, output_tokens: int) -> float | None:
        """US dollars for these tokens; None where no price is known."""
        return cost(model.model, model.base_url, input_tokens, output_tokens, override=self.price)

    async def ask(
        self,
        model: "LanguageModel",
        paper: PaperText,
        languages: Sequence[str],
        *,
        detail: Detail,
        mode: Mode,
        complaints: Sequence[str],
        attempt: int,
    ) -> Answer:
        """One call, its answer read and checked; raises ``CallFailed``.

        The same question in the same ``attempt`` has the same Idempotency-Key, so that an endpoint that heeds it does not
        charge again for a call whose answer died with its worker.
        """
        prompt = build(paper, languages, detail, self.fields, self.glossary, complaints)
        question = f"{model.name}\0{prompt.system}\0{prompt.user}\0{mode}\0{attempt}"
        key = f"zhaiyao-{hashlib.sha256(question.encode()).hexdigest()[:40]}"
        reply = await model.ask(prompt, mode, key)
        try:
            drafts = parse_answer(reply.text, languages, detail, self.fields, reply.finish_reason, paper)
        except BrokenAnswer as error:
            tokens = (reply.input_tokens, reply.output_tokens)
            raise CallFailed(Trouble.BAD_ANSWER, "broken_answer", f"{error}", tokens=tokens) from error
        cut = (_CUT,) if prompt.cut else ()
        checked = {language: (draft, check(paper, language, draft, detail) + cut) for language, draft in drafts.items()}
        return Answer(
            checked,
            reply.input_tokens,
            reply.output_tokens,
            self.cost(model, reply.input_tokens, reply.output_tokens),
            reply.rest,
        )

    async def aclose(self) -> None:
        """Close the models' connections."""
        for model in self.models:
            await model.aclose()
