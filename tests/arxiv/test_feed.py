"""What is read from listings of every era (FACTS section 2). The papers in the fixtures are invented."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from app.arxiv.entries import AnnounceType, Author, Entry, Feed
from app.arxiv.feed import parse_feed

FIXTURES = Path(__file__).parent / "fixtures"
ALL = sorted(path.name for path in FIXTURES.glob("*.xml"))


def load(name: str, *changes: tuple[str, str]) -> Feed:
    """A fixture, read after some of its text was replaced; every text to replace must be there."""
    text = (FIXTURES / name).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_feed(text.encode())


def only(feed: Feed) -> Entry:
    (entry,) = feed.entries
    return entry


def names(entry: Entry) -> list[str]:
    return [author.name for author in entry.authors]


def test_rss2_document() -> None:
    feed = load("rss2-current.xml")
    assert feed.format == "rss2"
    assert feed.categories == ("cs.CL", "math.NA")
    assert feed.announced_on == date(2026, 1, 8)
    assert feed.generated_at == datetime(2026, 1, 8, 5, 0, 3, tzinfo=UTC)
    assert [(entry.arxiv_id, entry.version, entry.announce_type.value) for entry in feed.entries] == [
        ("2601.00007", 1, "new"),
        ("2404.02342", 3, "cross"),
        ("math/0309136", 2, "replace"),
        ("2512.12345", 5, "replace-cross"),
    ]


def test_rss2_item_with_everything() -> None:
    entry = load("rss2-current.xml").entries[0]
    assert entry.raw.startswith("<item")
    assert entry == Entry(
        arxiv_id="2601.00007",
        version=1,
        announce_type=AnnounceType.NEW,
        announced_on=date(2026, 1, 8),
        title=r"Counting Teapots \emph{in Orbit} with $k$ Lenses & One Mirror",
        abstract=(
            r"We count teapots where $a<b$ and c>d hold for 100% of \textit{all} orbits at about $20 each. "
            r"See <https://teapots.example/>; a literal &lt; stays."
        ),
        authors=(
            Author(r"Fr\'ed\'eric Bouilloire", ("LTO, Dept. of Steam (North)",)),
            Author("Ada Kettle"),
            Author("G. David Samovar, Jr."),
        ),
        authors_omitted=0,
        primary_category="cs.CL",
        categories=("cs.CL", "math.NA", "cs.NA"),
        license="http://creativecommons.org/licenses/by/4.0/",
        doi="10.9999/teapot.1",
        journal_ref="J. Teapots 12 (2026) 1-9",
        raw=entry.raw,
    )


def test_raw_is_the_item_and_nothing_behind_it() -> None:
    for entry in load("rss2-current.xml").entries:
        assert entry.raw.endswith("</item>")
        assert entry.raw.count("<item") == 1
        assert f"oai:arXiv.org:{entry.arxiv_id}v{entry.version}" in entry.raw
    assert "$a&lt;b$" in load("rss2-current.xml").entries[0].raw


def test_what_is_absent_or_blank_is_none() -> None:
    cross, replace = load("rss2-current.xml").entries[1:3]
    assert (cross.license, cross.doi, cross.journal_ref) == (None, None, None)
    assert replace.license is None
    entry = load("rss2-2024-03-20.xml", ("Pouring and Drinking", " "), ("\nAbstract: We drink.", "")).entries[0]
    assert (entry.title, entry.abstract) == (None, None)


def test_text_inside_is_kept_as_it_is() -> None:
    cross, replace = load("rss2-current.xml").entries[1:3]
    assert cross.abstract == "First paragraph of the authors.\n  Second paragraph of the authors."
    # Some authors begin with the word themselves; only the feed's label goes.
    assert replace.abstract == "Abstract. We correct a sign."
    assert names(cross) == ["Teapot Collaboration", "B. Spout"]


@pytest.mark.parametrize("name", ALL)
def test_no_abstract_keeps_a_label(name: str) -> None:
    for entry in load(name).entries:
        assert "Announce Type" not in (entry.abstract or "")
        assert not (entry.abstract or "").startswith(("Abstract:", "arXiv:"))


def test_empty_weekend_listing_is_a_listing() -> None:
    feed = load("rss2-empty.xml")
    assert (feed.entries, feed.categories, feed.announced_on) == ((), ("cs.CL",), date(2026, 1, 10))


def test_era_of_bare_abstracts_and_anchors() -> None:
    feed = load("rss2-2024-02-01.xml")
    entry = only(feed)
    assert feed.categories == ("cs",)
    assert (entry.arxiv_id, entry.version, entry.announce_type) == ("2401.54321", 1, AnnounceType.NEW)
    assert entry.announced_on == feed.announced_on == date(2024, 2, 1)
    assert entry.abstract == "The abstract stands here without a label."
    # In this era the affiliation is glued to the name; where one ends and the other begins cannot be known.
    assert names(entry) == [r"Fr\'ed Bouilloire", "Ada Kettle Sr.Teapot University"]
    assert entry.doi == "10.9999/teapot.2"


@pytest.mark.parametrize(
    ("name", "abstract", "authors"),
    [
        (
            "rss2-2024-02-14.xml",
            "We spill.",
            (Author("Ada Kettle Sr.Teapot University"), Author("B. Spout")),
        ),
        ("rss2-2024-03-20.xml", "We drink.", (Author("Ada Kettle Sr.", ("Teapot University",)),)),
    ],
)
def test_eras_of_the_label(name: str, abstract: str, authors: tuple[Author, ...]) -> None:
    entry = only(load(name))
    assert (entry.abstract, entry.authors) == (abstract, authors)


def test_atom_document() -> None:
    feed = load("atom-current.xml")
    assert (feed.format, feed.categories, feed.announced_on) == ("atom", ("econ",), date(2026, 7, 9))
    assert feed.generated_at == datetime(2026, 7, 9, 8, 58, 5, 600500, tzinfo=UTC)
    new, replaced = feed.entries
    assert (new.arxiv_id, new.version, new.announce_type) == ("2607.01234", 1, AnnounceType.NEW)
    assert new.title == "The Price of Tea"
    assert new.abstract == "If $p<q$, tea is cheap."
    assert (new.primary_category, new.categories) == ("econ.GN", ("econ.GN", "q-fin.EC"))
    assert new.authors == (Author("Ada Kettle"), Author("B. Spout", ("Tea Exchange, London",)))
    assert (new.license, new.doi, new.journal_ref) == (
        "http://creativecommons.org/licenses/by/4.0/",
        "10.9999/tea.3",
        "Tea Econ. 3",
    )
    assert (replaced.announce_type, replaced.announced_on) == (AnnounceType.REPLACE_CROSS, date(2026, 7, 9))


def test_atom_without_published_is_dated_by_the_eastern_day_of_its_making() -> None:
    feed = load("atom-2024-02-20.xml")
    entry = only(feed)
    assert entry.announced_on == feed.announced_on == date(2024, 2, 20)
    # Entry ids were addresses until 2024-02-26.
    assert (entry.arxiv_id, entry.version) == ("2402.11111", 2)
    assert entry.abstract == "An abstract of the transition."
    assert names(entry) == ["Ada Kettle"]


def test_rss1_document() -> None:
    feed = load("rss1.xml")
    assert (feed.format, feed.categories, feed.announced_on) == ("rss1", ("hep-ex",), date(2019, 6, 4))
    assert feed.generated_at == datetime(2019, 6, 5, 1, 30, tzinfo=UTC)
    assert [(entry.arxiv_id, entry.version, entry.announce_type.value, entry.categories) for entry in feed.entries] == [
        ("1906.00001", 1, "new", ("hep-ex",)),
        ("1906.00002", 7, "replace", ("nucl-th",)),
        ("hep-th/0601001", 2, "cross", ("math.GR",)),
        ("1906.00004", None, "new", ()),
    ]
    assert {entry.announced_on for entry in feed.entries} == {date(2019, 6, 4)}
    assert [entry.primary_category for entry in feed.entries] == ["hep-ex", "nucl-th", "math.GR", None]
    assert [entry.title for entry in feed.entries] == [
        "Teapots at the LHC",
        "What is Steam?",
        "To be continued...",
        None,
    ]


def test_rss1_texts() -> None:
    new, update, cross, bare = load("rss1.xml").entries
    assert new.abstract == "We use state-of- the-art teapots for $2.6<\\eta<4$ in the Hélène region."
    assert update.abstract == "Steam has real paragraph elements with $a < b$."
    assert (cross.abstract, bare.abstract) == (None, "no paragraph here")
    assert new.authors == (Author("Ada Kettle", ("Teapot Collaboration",)), Author("Hélène Bouilloire"))
    assert names(update) == ["C. Handle", "D. Lid"]
    assert (names(cross), cross.authors_omitted) == (["LHCt collaboration", "R. Spout"], 909)
    assert (names(bare), bare.authors_omitted) == ([], 0)


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Tea. ", "Tea"),
        ("Tea ", "Tea"),
        ("Why tea?. ", "Why tea?"),
        ("Tea!. ", "Tea!"),
        ("Tea... ", "Tea..."),
        ("Tea (with milk). ", "Tea (with milk)"),
        ("", None),
    ],
)
def test_rss1_full_stop_of_the_feed_goes(written: str, title: str | None) -> None:
    feed = load("rss1.xml", ("What is Steam?. (arXiv", f"{written}(arXiv"))
    assert feed.entries[1].title == title
    assert feed.entries[1].version == 7


def test_rss1_title_without_a_suffix_is_kept_whole() -> None:
    entry = load("rss1.xml", ("What is Steam?. (arXiv:1906.00002v7 [nucl-th] UPDATED)", "What is Steam?")).entries[1]
    assert (entry.arxiv_id, entry.version, entry.title) == ("1906.00002", None, "What is Steam?")
    assert (entry.announce_type, entry.categories) == (AnnounceType.NEW, ())


DAY = "<pubDate>Thu, 08 Jan 2026 00:00:00 -0500</pubDate>"
MADE = "<lastBuildDate>Thu, 08 Jan 2026 05:00:03 +0000</lastBuildDate>"


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("Thu, 08 Jan 2026 00:00:00 -0500", date(2026, 1, 8)),
        ("Thu, 08 Jan 2026 05:00:00 GMT", date(2026, 1, 8)),
        ("Thu, 08 Jan 2026 04:59:59 +0000", date(2026, 1, 7)),
        ("Wed, 08 Jul 2026 00:00:00 -0400", date(2026, 7, 8)),
        ("Wed, 08 Jul 2026 03:59:59 +0000", date(2026, 7, 7)),
        # No zone: midnight of that day in the east, as arXiv means it.
        ("Thu, 08 Jan 2026 00:00:00", date(2026, 1, 8)),
        ("2026-01-08T00:00:00-05:00", date(2026, 1, 8)),
    ],
)
def test_days_are_eastern(written: str, day: date) -> None:
    feed = load("rss2-current.xml", (DAY, f"<pubDate>{written}</pubDate>"))
    assert feed.announced_on == day
    assert {entry.announced_on for entry in feed.entries} == {day}


def test_an_items_own_day_comes_first() -> None:
    feed = load(
        "rss2-2024-02-14.xml",
        ("<category>cs.RO", "<pubDate>Tue, 13 Feb 2024 00:00:00 -0500</pubDate><category>cs.RO"),
    )
    assert feed.announced_on == date(2024, 2, 14)
    assert only(feed).announced_on == date(2024, 2, 13)


def test_day_of_the_making_where_no_batch_day_is_readable() -> None:
    assert load("rss2-current.xml", (DAY, "")).announced_on == date(2026, 1, 8)
    assert load("rss2-current.xml", (DAY, "<pubDate>soon</pubDate>")).announced_on == date(2026, 1, 8)


@pytest.mark.parametrize(
    ("title", "link", "categories"),
    [
        ("cs.CL updates on arXiv.org", "", ("cs.CL",)),
        ("cs, math , econ updates on arXiv.org", "", ("cs", "math", "econ")),
        ("Something else", "http://rss.arxiv.org/rss/cs.CL+math.NA", ("cs.CL", "math.NA")),
        ("Something else", "http://rss.arxiv.org/rss/cs.CL%2Bmath.NA", ("cs.CL", "math.NA")),
        ("", "https://rss.arxiv.org/atom/econ", ("econ",)),
        ("Something else", "https://rss.arxiv.org/rss", ()),
        ("", "", ()),
    ],
)
def test_categories_of_the_document(title: str, link: str, categories: tuple[str, ...]) -> None:
    feed = load(
        "rss2-empty.xml",
        ("cs.CL updates on arXiv.org", title),
        ("<link>http://rss.arxiv.org/rss/cs.CL", f"<link>{link}"),
    )
    assert feed.categories == categories


@pytest.mark.parametrize("order", [("new", "cross"), ("cross", "new")])
def test_the_same_version_twice_is_one_entry_of_the_strongest_type(order: tuple[str, str]) -> None:
    text = (FIXTURES / "rss2-2024-03-20.xml").read_text()
    start, end = text.index("<item>"), text.index("</item>") + len("</item>")
    items = [text[start:end].replace("replace", kind) for kind in (*order, "replace-cross")]
    other = text[start:end].replace("v2", "v3")
    feed = parse_feed((text[:start] + "".join([*items, other]) + text[end:]).encode())
    assert [(entry.version, entry.announce_type.value) for entry in feed.entries] == [(2, "new"), (3, "replace")]


def test_type_and_version_from_the_label_where_nothing_else_has_them() -> None:
    entry = only(
        load(
            "rss2-2024-03-20.xml",
            ("<arxiv:announce_type>replace</arxiv:announce_type>", ""),
            ('<guid isPermaLink="false">oai:arXiv.org:2403.54321v2</guid>', ""),
        )
    )
    assert (entry.arxiv_id, entry.version, entry.announce_type) == ("2403.54321", 2, AnnounceType.REPLACE)


@pytest.mark.parametrize(
    "label",
    [
        "arXiv:2403.54321v2 Announce Type: replace \nAbstract: ",
        "arXiv:2403.54321v2 Announce Type: replace\nAbstract: ",
        "arXiv:2403.54321v2 Announce Type: replace  Abstract: ",
        "\n arXiv:2403.54321v2 Announce Type: replace \n",
        "arXiv:2403.54321v2 Announce Type:  \nAbstract: ",
    ],
)
def test_every_shape_of_the_label_goes(label: str) -> None:
    feed = load("rss2-2024-03-20.xml", ("arXiv:2403.54321v2 Announce Type: replace \nAbstract: ", label))
    assert only(feed).abstract == "We drink."


@pytest.mark.parametrize("link", ["https://arxiv.org/paper-of-the-day", "https://arxiv.org/abs/2403.54321v2?r=1", ""])
def test_a_link_may_say_more_or_nothing(link: str) -> None:
    feed = load("rss2-2024-03-20.xml", ("https://arxiv.org/abs/2403.54321", link))
    assert only(feed).arxiv_id == "2403.54321"


def test_comments_and_cdata_change_nothing() -> None:
    plain = only(load("rss2-2024-03-20.xml"))
    dressed = only(
        load(
            "rss2-2024-03-20.xml",
            ("Pouring and Drinking", "Pouring <!-- tea --><![CDATA[and]]> Drinking"),
            ("<item>", "<!-- item --><item><!-- first --><?php echo 1 ?>"),
        )
    )
    assert (dressed.title, dressed.abstract) == (plain.title, plain.abstract)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_are_honoured(encoding: str) -> None:
    text = (FIXTURES / "rss2-2024-03-20.xml").read_text().replace("We drink", "Nous buvons du thé")
    text = text.replace("'UTF-8'", "'UTF-16'" if encoding == "utf-16" else f"'{encoding.removesuffix('-sig')}'")
    assert only(parse_feed(text.encode(encoding))).abstract == "Nous buvons du thé."


def test_parsing_twice_gives_the_same() -> None:
    for name in ALL:
        assert load(name) == load(name)
