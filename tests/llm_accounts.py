"""Whether the books agree: what a fake endpoint delivered, and what the database says of calls, summaries and spending."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from tests.fake_llm import FakeLLM
from tests.feeds import Item


@dataclass(frozen=True, slots=True)
class Books:
    """How a run ended. ``wrong`` has a sentence for each promise that is broken.

    ``unread`` are answers that came in the moment of a kill: what their calls had reserved stands for them.
    """

    summaries: Counter[str]
    outcomes: Counter[str]
    unread: int
    wrong: list[str]


def close_books(url: str, fake: FakeLLM, items: Sequence[Item]) -> Books:
    """Compare everything, once no summary is pending."""
    with psycopg.connect(url, autocommit=True) as connection:
        summaries = connection.execute(
            "SELECT arxiv_id, status, coalesce(reason, ''), attempts FROM summaries"
        ).fetchall()
        calls = connection.execute("SELECT arxiv_id, outcome, input_tokens + output_tokens FROM calls").fetchall()
        sums = [
            connection.execute(
                f"SELECT {counted}, sum(input_tokens), sum(output_tokens), sum(cost) FROM {table}"
            ).fetchone()
            for counted, table in (("count(*)", "calls"), ("sum(calls)", "spendings"))
        ]
        stuck = connection.execute(
            "SELECT status::text, count(*) FROM procrastinate_jobs WHERE task_name = 'summarize' AND status <> 'succeeded' "
            "GROUP BY status"
        ).fetchall()
    wrong = [f"{name} is {status}" for name, status, _, _ in summaries if status not in ("done", "failed")]
    wrong += [
        f"{name} failed without a reason" for name, status, reason, _ in summaries if status == "failed" and not reason
    ]
    named = Counter(name for name, *_ in summaries)
    wrong += [f"{item.id} has {named[item.id]} summaries" for item in items if named[item.id] != 1]
    wrong += [f"{item.id} was paid {fake.paid(item.title)} times" for item in items if fake.paid(item.title) > 1]
    wrong += [f"the call for {name} is still running" for name, outcome, _ in calls if outcome == "running"]
    if sums[0] != sums[1]:
        wrong.append(f"calls add up to {sums[0]}, spendings to {sums[1]}")
    wrong += [f"{number} jobs are {status}" for status, number in stuck if status != "failed"]
    unread = 0
    for item in items:
        mine = [(outcome, tokens) for name, outcome, tokens in calls if name == item.id]
        booked = Counter(tokens for outcome, tokens in mine if outcome != "lost" and tokens)
        title = " ".join(item.title.split())
        given = Counter(one.tokens for one in fake.requests if one.title == title and one.delivered and one.tokens)
        if booked - given:
            wrong.append(f"{item.id} has {booked - given} tokens booked that were never given")
        if (given - booked).total() > sum(outcome == "lost" for outcome, _ in mine):
            wrong.append(f"{item.id} was given {given - booked} tokens that are not booked: {mine}")
        unread += (given - booked).total()
    return Books(
        Counter(f"{status} {reason}".strip() for _, status, reason, _ in summaries),
        Counter(outcome for _, outcome, _ in calls),
        unread,
        wrong,
    )
