"""The real and generated samples of the project, where they are on the machine; none of them is in the repository."""

import json
from datetime import date
from pathlib import Path

import pytest

from app.arxiv.authors import parse_creator
from app.arxiv.entries import AnnounceType, Author, Entry
from app.arxiv.feed import parse_feed
from app.errors import FeedRejected

SAMPLES = (Path(__file__).parents[2] / ".." / "shared" / "arxiv" / "samples").resolve()
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of shared/arxiv are not on this machine")

READ = {
    "atom-current/cs.LG-2026-09-25-trimmed.xml": ("atom", ("cs.LG",), date(2026, 9, 25), 3),
    "atom-current/gen-cs-new-cross-replacecross.xml": ("atom", ("cs",), date(2023, 10, 26), 3),
    "atom-current/gen-empty.xml": ("atom", ("cs.AI",), date(2026, 11, 21), 0),
    "malformed/rss-legacy-missing-title-description-creator.xml": ("rss1", ("hep-ex",), date(2021, 7, 8), 3),
    "rss-current/cs-empty-Sunday-2025-04-27.xml": ("rss2", ("cs",), date(2025, 4, 27), 0),
    "rss-current/gen-astro-ph-replace.xml": ("rss2", ("astro-ph",), date(2023, 10, 26), 1),
    "rss-current/gen-cs+math-combined.xml": ("rss2", ("cs", "math"), date(2023, 10, 26), 4),
    "rss-current/gen-cs-new-cross-replacecross.xml": ("rss2", ("cs",), date(2023, 10, 26), 3),
    "rss-current/gen-cs.CV.xml": ("rss2", ("cs.CV",), date(2023, 10, 26), 2),
    "rss-current/gen-empty-lowercase-combined.xml": ("rss2", ("cs.AI", "q-bio.NC"), date(2024, 1, 6), 0),
    "rss-current/gen-math.IT-alias.xml": ("rss2", ("math.IT",), date(2023, 10, 26), 1),
    "rss-legacy/cs.RO-channel-2024-01-11.xml": ("rss1", ("cs.RO",), date(2024, 1, 11), 0),
    "rss-legacy/hep-ex-2018-05-23.xml": ("rss1", ("hep-ex",), date(2018, 5, 23), 3),
    "rss-transition/gen-2024-01-31-atom.xml": ("atom", ("cs",), date(2026, 11, 21), 3),
    "rss-transition/gen-2024-01-31.xml": ("rss2", ("cs",), date(2023, 10, 26), 3),
    "rss-transition/gen-2024-02-14.xml": ("rss2", ("cs",), date(2023, 10, 26), 3),
    "rss-transition/gen-2024-02-15.xml": ("rss2", ("cs",), date(2023, 10, 26), 3),
    "rss-transition/gen-2024-03-12.xml": ("rss2", ("cs",), date(2023, 10, 26), 3),
}

REFUSED = {
    "atom-current/gen-error400.xml": "error_feed",
    "malformed/api-429-body.txt": "not_xml",
    "malformed/atom-truncated-cs.AI-2025-08-20.xml": "truncated",
    "malformed/oai-arxiv-missing-namespace.xml": "unknown_format",
    "rss-current/gen-error400-bad-archive.xml": "error_feed",
    "rss-current/gen-error400-bad-subject-class.xml": "error_feed",
    "rss-current/gen-error400-version-1.0.xml": "error_feed",
    "rss-legacy/cs.CY-item-2016-with-donation-banner.xml": "no_date",
}


def body_of(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def entries_of(name: str) -> dict[str, Entry]:
    return {entry.arxiv_id: entry for entry in parse_feed(body_of(name)).entries}


@pytest.mark.parametrize("name", READ)
def test_read(name: str) -> None:
    feed = parse_feed(body_of(name))
    assert (feed.format, feed.categories, feed.announced_on, len(feed.entries)) == READ[name]
    for entry in feed.entries:
        assert "Announce Type" not in (entry.abstract or "")
        assert entry.raw.count(entry.arxiv_id) >= 1


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(FeedRejected) as refused:
        parse_feed(body_of(name))
    assert refused.value.reason == REFUSED[name]


def test_every_listing_sample_is_expected() -> None:
    found = {
        f"{path.parent.name}/{path.name}"
        for pattern in ("rss-*", "atom-current", "malformed")
        for folder in SAMPLES.glob(pattern)
        for path in folder.iterdir()
    }
    assert found == set(READ) | set(REFUSED)


def test_no_other_sample_is_taken_for_a_listing() -> None:
    for folder in ("api", "oai-arxiv", "oai-arxivraw", "oai-dc"):
        for path in (SAMPLES / folder).iterdir():
            with pytest.raises(FeedRejected):
                parse_feed(path.read_bytes())


def test_real_atom_of_2026() -> None:
    entries = entries_of("atom-current/cs.LG-2026-09-25-trimmed.xml")
    new = entries["2609.28553"]
    assert (new.version, new.announce_type, len(new.authors)) == (1, AnnounceType.NEW, 6)
    assert new.authors[0] == Author("Quang Minh Nguyen")
    assert new.doi == "10.1109/MAPR72750.2026.11685822"
    assert new.journal_ref is not None
    assert new.journal_ref.endswith("(MAPR)")
    assert new.abstract is not None
    assert new.abstract.startswith("Drug toxicity prediction is critical")
    cross = entries["2402.10149"]
    assert (cross.version, cross.announce_type, cross.primary_category) == (3, AnnounceType.CROSS, "hep-ph")
    assert cross.categories == ("hep-ph", "cs.LG", "hep-ex")


def test_type_is_relative_to_the_feed() -> None:
    types = {
        name: entries_of(f"rss-current/gen-{name}.xml")["1234.5645"].announce_type.value
        for name in ("astro-ph-replace", "cs.CV", "cs+math-combined")
    }
    assert types == {"astro-ph-replace": "replace", "cs.CV": "replace-cross", "cs+math-combined": "replace-cross"}


def test_real_rss1_of_2018() -> None:
    entries = entries_of("rss-legacy/hep-ex-2018-05-23.xml")
    new, cross, update = entries["1805.08875"], entries["1805.09166"], entries["1805.06430"]
    assert new.title == "Measurement of Transverse Single Spin Asymmetries"
    assert new.authors == (Author("Christopher Dilks", ("STAR Collaboration",)),)
    assert new.abstract is not None
    assert "of $2.6<\\eta<4$. Within this kinematic range" in new.abstract
    assert "\n" not in new.abstract
    assert (cross.announce_type, cross.abstract) == (AnnounceType.CROSS, "We present recent measurements")
    assert (update.version, update.announce_type, update.primary_category) == (2, AnnounceType.REPLACE, "nucl-th")
    assert [author.name for author in update.authors][-1] == "Hong-Shi Zong"


def test_rss1_with_missing_parts() -> None:
    entries = entries_of("malformed/rss-legacy-missing-title-description-creator.xml")
    lhcb = entries["2107.03419"]
    assert (lhcb.title, lhcb.version, lhcb.authors_omitted) == (None, None, 909)
    assert [author.name for author in lhcb.authors] == ["LHCb collaboration", "R. Aaij"]
    assert entries["2106.00550"].abstract is None
    assert entries["2007.03939"].authors == ()


def test_donation_banner_is_dropped() -> None:
    channel = (
        b"<channel><title>cs.CY updates on arXiv.org</title><dc:date>2016-06-28T20:30:00-05:00</dc:date></channel>"
    )
    body = body_of("rss-legacy/cs.CY-item-2016-with-donation-banner.xml").replace(b"<item ", channel + b"<item ", 1)
    (entry,) = parse_feed(body).entries
    assert entry.title == "Privacy Knowledge Modelling for Internet of Things: A Look Back"
    assert entry.abstract is not None
    assert entry.abstract.startswith("Internet of Things (IoT) and cloud computing together give us")
    assert entry.abstract.endswith("research challenges and opportunities.")
    assert len(entry.authors) == 5


def test_transition_of_2024() -> None:
    for day in ("01-31", "02-14", "02-15", "03-12"):
        entry = entries_of(f"rss-transition/gen-2024-{day}.xml")["2310.16106"]
        assert [author.name for author in entry.authors][1:] == ["Zheng Chen", "Erik G. Larsson"]
        assert entry.abstract is not None
        assert entry.abstract.startswith("This work centers")


def test_author_lines_of_every_era() -> None:
    lines = json.loads((SAMPLES / "authors-lines.json").read_text(encoding="utf-8"))
    right = 0
    for line in lines:
        authors, _ = parse_creator(line["feed_dc_creator"])
        parsed = line["arxiv_parse_[last,first,suffix,affil...]"]
        expected = [" ".join(filter(None, (first, last, suffix))) for last, first, suffix, *_ in parsed]
        right += [author.name for author in authors] == expected
    assert right / len(lines) >= 0.95
