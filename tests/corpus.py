"""A large invented corpus, made inside Postgres within seconds: for plans, streams and figures."""

import asyncpg

from app.arxiv import taxonomy

_NAMES = [category.id for category in taxonomy.CATEGORIES if category.canonical == category.id and category.active]

_WORDS = (
    "We study how a model of language reads listings that arrive late and show that the bound of order n log n is met by "
    "every variant which keeps its heads apart while the strongest earlier method loses most of them on long documents "
)

# Ids run through the months from 2008 on; a few categories have most of the papers, as at arXiv, and one paper in 90 is
# withdrawn. One in ten is known without its dates, as from a legacy listing.
_PAPERS = """
INSERT INTO papers (arxiv_id, order_key, version, title, display_title, abstract, abstract_hash, authors, primary_category,
    categories, listed_in, comments, doi, license, submitted_at, updated_at, first_announced_on, withdrawn, versions)
SELECT yymm || '.' || lpad(place::text, 5, '0'), '20' || yymm || '-' || lpad(place::text, 5, '0') || '-5', version,
    'On reading ' || md5(n::text) || ' twice, and what a listing of part ' || n || ' says of it',
    CASE WHEN n % 5 = 0 THEN 'On reading Lévy twice, part ' || n END,
    substr(md5(n::text) || ' ' || repeat($1, 10), 1, $2 + n % 200), md5(n::text),
    (SELECT jsonb_agg(jsonb_build_object('name', 'Ada ' || chr(65 + (n + a) % 26) || '. Sample' || (n * a) % 977,
        'affiliations', '[]'::jsonb, 'display_name', 'Ada ' || chr(65 + (n + a) % 26) || '. Sample' || (n * a) % 977))
     FROM generate_series(1, 2 + n % 6) AS a),
    categories[1], categories, ARRAY(SELECT DISTINCT unnest(categories) ORDER BY 1),
    CASE WHEN n % 2 = 0 THEN n % 30 || ' pages, 5 figures' END, CASE WHEN n % 3 = 0 THEN '10.1000/' || n END,
    'http://arxiv.org/licenses/nonexclusive-distrib/1.0/', submitted, CASE WHEN n % 10 > 0 THEN submitted END,
    CASE WHEN n % 10 > 0 THEN (submitted + interval '1 day')::date END, n % 90 = 0,
    (SELECT jsonb_agg(jsonb_build_object('version', v, 'submitted_at', to_char(day + interval '1 month' * v,
        'YYYY-MM-DD"T"HH24:MI:SS+00:00'), 'size', 10 + v || 'kb')) FROM generate_series(1, version) AS v)
FROM (SELECT n, to_char(day, 'YYMM') AS yymm, place + 1 AS place, 1 + n % 3 AS version, day,
             CASE WHEN n % 10 > 0 THEN day END AS submitted,
             CASE WHEN n % 3 = 0 THEN ARRAY[one, other] ELSE ARRAY[one] END AS categories
      FROM (SELECT n, n % $5 AS place,
                   timestamptz '2008-01-01 10:00Z' + interval '1 month' * (n / $5) + interval '1 minute' * (n % 38000) AS day,
                   $3::text[] AS names, random() AS first, random() AS second
            FROM generate_series(0, $4 - 1) AS n) AS numbered
      CROSS JOIN LATERAL (SELECT names[1 + floor(cardinality(names) * first ^ 4)] AS one,
                                 names[1 + floor(cardinality(names) * second ^ 2)] AS other) AS chosen) AS paper
"""

_ANNOUNCEMENTS = """
INSERT INTO announcements (arxiv_id, version, category, announced_on, announce_type)
SELECT arxiv_id, 1, category, day, CASE WHEN category = primary_category THEN 'new' ELSE 'cross' END
FROM (SELECT arxiv_id, primary_category, unnest(listed_in) AS category,
             coalesce(first_announced_on, ('20' || substr(arxiv_id, 1, 2) || '-' || substr(arxiv_id, 3, 2) || '-15')::date)
                 AS day FROM papers) AS paper
UNION ALL
SELECT arxiv_id, 2, primary_category, first_announced_on + 60, 'replace' FROM papers
WHERE version > 1 AND first_announced_on IS NOT NULL
"""

_SUMMARIES = """
INSERT INTO summaries (arxiv_id, paper_version, abstract_hash, language, status, origin, model, title, abstract, tldr, tldr_en)
SELECT arxiv_id, version, abstract_hash, 'zh', status, 'llm', 'm', '题目', substr($1, 1, $2), '一句话。', 'One sentence.'
FROM (SELECT *, CASE WHEN random() < 0.9 THEN 'done' WHEN random() < 0.5 THEN 'pending' WHEN random() < 0.9 THEN 'failed'
                ELSE 'running' END AS status FROM papers WHERE random() < $3) AS paper
"""

_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename IN ('papers', 'announcements', 'summaries')
  AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""


async def fill(url: str, papers: int, *, abstract: int = 150, summarized: float = 0.5) -> None:
    """Put so many papers with abstracts of about this length into an empty database, with their announcements.

    A share of them has a Chinese summary, nine of ten of those done. The same numbers give the same corpus.
    """
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute("SELECT setseed(0.5)")
        months = max(papers // 216, 1)
        # Indexes are made faster over all rows than row by row; those that constraints need stay.
        indexes = await connection.fetch(_INDEXES)
        await connection.execute(f"DROP INDEX {', '.join(row['indexname'] for row in indexes)}")
        await connection.execute(_PAPERS, _WORDS, abstract, _NAMES, papers, months)
        await connection.execute(_ANNOUNCEMENTS)
        await connection.execute(_SUMMARIES, _WORDS * 10, abstract, summarized)
        for row in indexes:
            await connection.execute(row["indexdef"])
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
