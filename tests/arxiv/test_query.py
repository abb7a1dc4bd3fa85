"""Answers of the search API: read whole, in both servers' forms, or refused with a reason."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.arxiv.entries import Author, Record, Version
from app.arxiv.query import Answer, missing, parse_answer, query_url
from app.errors import FeedRejected, InvalidArxivId

FIXTURES = Path(__file__).parent / "fixtures" / "records"
CURRENT = (FIXTURES / "api-current.xml").read_bytes()
PERL = (FIXTURES / "api-perl.xml").read_bytes()
BASE = "https://export.arxiv.org/api/query"

REASONS = {
    "too_large",
    "empty_body",
    "html",
    "not_xml",
    "truncated",
    "forbidden_xml",
    "unknown_format",
    "api_error",
    "empty_page",
    "bad_item",
}


def refuse(body: bytes, **limits: int) -> FeedRejected:
    with pytest.raises(FeedRejected) as refused:
        parse_answer(body, **limits)
    error = refused.value
    assert error.reason in REASONS
    assert "\n" not in error.detail
    assert error.detail[0].isupper()
    assert error.detail[-1] == "."
    assert len(error.detail) < 500
    return error


def changed(body: bytes, *changes: tuple[str, str]) -> bytes:
    text = body.decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def page(total: int, start: int) -> bytes:
    return f"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:o="http://a9.com/-/spec/opensearch/1.1/">
        <title>arXiv Query: search_query=all:tea&amp;id_list=&amp;start={start}&amp;max_results=10</title>
        <o:itemsPerPage>10</o:itemsPerPage><o:totalResults>{total}</o:totalResults><o:startIndex>{start}</o:startIndex>
    </feed>""".encode()


def test_the_present_server() -> None:
    answer = parse_answer(CURRENT)
    assert (answer.total, answer.start, answer.per_page, len(answer.records)) == (2, 0, 3, 2)
    record = answer.records[0]
    assert record == Record(
        arxiv_id="2601.00007",
        version=3,
        title="Error",
        abstract="If $a<b$ and $c>d$, the café of Łukasz & Co. sells 100% more tea.\nA second paragraph is the author's own.",
        authors=(Author("Frédéric Sample", ("Univ. of Tests, Dept. X", "LJLL")), Author("Bo Example")),
        primary_category="cs.CL",
        categories=("cs.CL", "cs.LG", "new-archive.XY"),
        comments="20 pages, 3 figures",
        journal_ref="Journal of Tea 31 (2026) 17-29",
        doi="10.1000/tea.1 10.1000/tea.2",
        license=None,
        submitted_at=utc("2026-01-01 17:59:46"),
        updated_at=utc("2026-02-03 08:15:48"),
        versions=(Version(1, utc("2026-01-01 17:59:46")), Version(3, utc("2026-02-03 08:15:48"))),
        withdrawn=None,
        datestamp=None,
        converted=True,
        format="api",
        raw=record.raw,
    )
    assert record.raw.startswith("<entry ")
    assert record.raw.endswith("</entry>")
    assert "2601.00007v3" in record.raw
    assert "9901001" not in record.raw


def test_an_old_paper_called_0() -> None:
    record = parse_answer(CURRENT).records[1]
    assert (record.arxiv_id, record.version, record.title) == ("hep-th/9901001", 1, "0")
    assert record.abstract == "An old abstract begins with two blanks."
    assert record.versions == (Version(1, utc("1999-01-01 12:00")),)
    assert (record.comments, record.journal_ref, record.doi) == (None, None, None)


def test_the_older_server() -> None:
    answer = parse_answer(PERL)
    assert (answer.total, answer.start, answer.per_page) == (1000, 4, 1)
    (record,) = answer.records
    assert (record.arxiv_id, record.version) == ("math/0309136", 2)
    assert record.title == "On the state-of- the-art of testing"
    assert record.abstract == "We study a state-of- the-art test. It passes in all cases.\nA paragraph of its own."
    assert record.comments == 'To appear in the proceedings of the 25th Workshop "Tea. From Old Wisdom to New Insights"'
    assert record.authors == (Author("Ada Sample", ("Univ. of Tests, Dept. X",)),)
    assert record.doi == "10.1000/tea.1 10.1000/tea.2"
    assert record.versions == (Version(1, utc("2003-09-08 17:46:39")), Version(2, utc("2004-02-01 01:30")))
    assert (record.submitted_at, record.updated_at) == (utc("2003-09-08 17:46:39"), utc("2004-02-01 01:30"))


def test_strings_that_are_no_category_are_left_out() -> None:
    (record,) = parse_answer(PERL).records
    assert record.categories == ("math.GT", "cond-mat.mtrl-sci", "math-ph")
    assert record.primary_category == "math.GT"


def test_without_a_primary_category_the_first_one_is_it() -> None:
    record = parse_answer(changed(CURRENT, ('<arxiv:primary_category term="cs.CL"/>', ""))).records[0]
    assert (record.primary_category, record.categories) == ("cs.LG", ("cs.LG", "cs.CL", "new-archive.XY"))


def test_a_primary_category_that_is_not_among_the_others() -> None:
    record = parse_answer(
        changed(CURRENT, ('<category term="cs.CL" scheme="http://arxiv.org/schemas/atom"/>', ""))
    ).records[0]
    assert record.categories == ("cs.CL", "cs.LG", "new-archive.XY")


def test_an_entry_with_nothing_but_its_id() -> None:
    body = page(1, 0).replace(b"</feed>", b"<entry><id>http://arxiv.org/abs/2601.00007</id></entry></feed>")
    (record,) = parse_answer(body).records
    assert (record.arxiv_id, record.version, record.versions) == ("2601.00007", None, ())
    assert (record.title, record.abstract, record.authors, record.categories) == (None, None, (), ())
    assert (record.primary_category, record.submitted_at, record.updated_at) == (None, None, None)


def test_a_link_elsewhere_says_nothing() -> None:
    body = changed(CURRENT, ('"https://arxiv.org/abs/2601.00007v3"', '"https://alphaxiv.example/2601.00007v9"'))
    assert parse_answer(body).records[0].version == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("http://arxiv.org/abs/2601.00007v3", "http://arxiv.org/abs/teapot"), "no arXiv identifier"),
        (("<id>http://arxiv.org/abs/2601.00007v3</id>\n    <title>Error", "<title>Tea"), "no arXiv identifier"),
        (("https://arxiv.org/abs/2601.00007v3", "https://arxiv.org/abs/2601.00008v3"), "2601.00008v3"),
        (("https://arxiv.org/abs/2601.00007v3", "https://arxiv.org/abs/2601.00007v4"), "2601.00007v4"),
        (("2026-02-03T08:15:48Z", "2026-02-03"), "its updated time '2026-02-03' cannot be read"),
        (("2026-01-01T17:59:46Z", "yesterday"), "its published time 'yesterday' cannot be read"),
        (("<title>Error</title>", "<title>Error</title><title>Tea</title>"), "two elements title"),
        (("<arxiv:comment>20", "<summary>Tea</summary><arxiv:comment>20"), "two elements summary"),
    ],
)
def test_one_entry_that_cannot_be_read_refuses_the_answer(change: tuple[str, str], said: str) -> None:
    error = refuse(changed(CURRENT, change))
    assert error.reason == "bad_item"
    assert said in error.detail
    assert "entry 1" in error.detail


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        (
            "<id>https://arxiv.org/api/errors#incorrect_id_format_for_abc</id><title>Error</title>"
            "<summary>incorrect id format for abc</summary>",
            "incorrect id format for abc",
        ),
        ("<id>http://arxiv.org/api/errors#tea</id><title>Oh</title><summary>Tea.\n  Tea.</summary>", "Tea. Tea"),
        ("<id>http://arxiv.org/api/errors#tea</id><title>Error</title>", "http://arxiv.org/api/errors#tea"),
        ("<title>Error</title>", "no reason is given"),
        ("<id>http://arxiv.org/api/errors</id><summary>" + "tea " * 500 + "</summary>", "tea tea"),
    ],
)
def test_errors_of_the_api(entry: str, cause: str) -> None:
    error = refuse(page(1, 0).replace(b"</feed>", f"<entry>{entry}</entry></feed>".encode()))
    assert error.reason == "api_error"
    assert error.detail.startswith(f"The search API answered with an error: {cause}")


def test_nothing_found_is_an_answer() -> None:
    assert parse_answer(page(0, 0)) == Answer(0, 0, 10, ())
    assert parse_answer(page(20, 20)) == Answer(20, 20, 10, ())
    assert parse_answer(page(20, 30)) == Answer(20, 30, 10, ())


@pytest.mark.parametrize(("total", "start"), [(1, 0), (21, 20), (214881, 0)])
def test_an_empty_page_before_the_end_is_a_fault(total: int, start: int) -> None:
    assert refuse(page(total, start)).reason == "empty_page"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty_body"),
        (b"Rate exceeded.", "not_xml"),
        (b"<!DOCTYPE html><html><body>503</body></html>", "html"),
        (b"<html><body>Sorry", "html"),
        (b"<!DOCTYPE feed [<!ENTITY tea 'tea'>]><feed>&tea;</feed>", "forbidden_xml"),
        (b"<feed/>", "unknown_format"),
        (b"<feed xmlns='http://www.w3.org/2005/Atom'/>", "unknown_format"),
        (CURRENT[:-5], "truncated"),
        (page(2, 0).replace(b">2<", b">None<"), "unknown_format"),
        (page(2, 0).replace(b">2<", b">-2<"), "unknown_format"),
        (page(2, 0).replace(b">2<", b">" + b"9" * 5000 + b"<"), "unknown_format"),
        (page(2, 0).replace(b">2<", b"><"), "unknown_format"),
        (page(2, 0).replace(b">2<", b">" + "٢".encode() + b"<"), "unknown_format"),
        (page(2, 0).replace(b"o:startIndex>", b"o:place>"), "unknown_format"),
        (page(0, 0).replace(b"</feed>", b"<entry xmlns=''/></feed>"), "unknown_format"),
        (page(1, 0).replace(b"</feed>", b"<entry><entry/></entry></feed>"), "unknown_format"),
        (page(0, 0).replace(b"</feed>", b"<list><entry/></list></feed>"), "unknown_format"),
    ],
)
def test_what_is_no_whole_answer(body: bytes, reason: str) -> None:
    assert refuse(body).reason == reason


@pytest.mark.parametrize(
    "name", ["rss2-current.xml", "rss2-empty.xml", "rss1.xml", "atom-current.xml", "atom-2024-02-20.xml"]
)
def test_listings_are_no_answers(name: str) -> None:
    assert refuse((FIXTURES.parent / name).read_bytes()).reason == "unknown_format"


def test_size_limit() -> None:
    assert refuse(CURRENT, max_bytes=len(CURRENT) - 1).reason == "too_large"
    assert parse_answer(CURRENT, max_bytes=len(CURRENT)).records


@pytest.mark.parametrize("body", [CURRENT.rstrip(), PERL.rstrip()], ids=["current", "perl"])
@given(data=st.data())
def test_no_beginning_of_an_answer_passes(body: bytes, data: st.DataObject) -> None:
    end = data.draw(st.integers(1, len(body) - 1))
    assert refuse(body[:end]).reason == "truncated"


@given(st.binary(max_size=40), st.integers(0, len(CURRENT)))
def test_damage_is_refused_or_read_but_never_another_error(junk: bytes, at: int) -> None:
    with suppress(FeedRejected):
        assert len(parse_answer(CURRENT[:at] + junk + CURRENT[at + len(junk) :]).records) == 2


def test_query_url() -> None:
    assert query_url(BASE, ["2404.02342"]) == f"{BASE}?id_list=2404.02342&max_results=1"
    url = query_url(BASE, ["2404.02342", "hep-th/9901001", "2601.00007v2"])
    assert url == f"{BASE}?id_list=2404.02342,hep-th/9901001,2601.00007v2&max_results=3"
    # The HTTP client leaves the commas alone.
    assert httpx.URL(url).raw_path.decode().endswith("?id_list=2404.02342,hep-th/9901001,2601.00007v2&max_results=3")
    assert "max_results=2000" in query_url(BASE, [f"2404.{number:05}" for number in range(1, 2001)])


@pytest.mark.parametrize("arxiv_ids", [[], ["2404.02342"] * 2001], ids=["none", "too many"])
def test_query_url_refuses_what_the_api_would_not_answer(arxiv_ids: list[str]) -> None:
    with pytest.raises(ValueError, match="1 to 2000 papers"):
        query_url(BASE, arxiv_ids)


@pytest.mark.parametrize("ask", [lambda ids: query_url(BASE, ids), lambda ids: missing(ids, parse_answer(CURRENT))])
def test_what_is_no_id_is_refused(ask: Callable[[list[str]], object]) -> None:
    with pytest.raises(InvalidArxivId):
        ask(["2404.02342&start=5"])


def test_missing() -> None:
    answer = parse_answer(CURRENT)
    assert missing(["2601.99999", "hep-th/9901001", "2601.00007", "2601.99998", "2601.99999"], answer) == [
        "2601.99999",
        "2601.99998",
    ]
    assert missing(["2601.00007v2", "arXiv:2601.99999v4", "math.GT/0309136"], answer) == ["2601.99999", "math/0309136"]
    assert missing([], answer) == []


# Every real answer: total, start, per_page, and for each record id, version, title, number of authors, categories.
ANSWERS: dict[str, tuple[int, int, int, list[tuple[str, int, str, int, str]]]] = {
    "2007-perl-search-1-entry.xml": (1000, 0, 1, [("hep-ex/0307015", 1, "Multi-Electron Production", 1, "hep-ex")]),
    "2012-perl-id_list-two.xml": (
        2,
        0,
        10,
        [
            ("1205.1001", 1, "Membrane lateral structure", 3, "cond-mat.soft physics.bio-ph"),
            ("1001.1001", 1, "The chromosphere: gateway to the corona", 1, "astro-ph.SR"),
        ],
    ),
    "2026-id_list-5digit-before-2015-empty.xml": (0, 0, 100, []),
    "2026-id_list-old-style-version.xml": (
        1,
        0,
        100,
        [("quant-ph/0201082", 1, "Quantum Computers and Quantum Computer Languages", 1, "quant-ph cs.PL")],
    ),
    "2026-id_list-one-unknown-one-known.xml": (
        1,
        0,
        100,
        [("1707.08567", 1, "Proceedings of Workshop AEW10", 34, "cs.IT")],
    ),
    "2026-id_list-single-many-authors.xml": (
        1,
        0,
        100,
        [("1707.08567", 1, "Proceedings of Workshop AEW10", 34, "cs.IT")],
    ),
    "2026-id_list-single-no-version.xml": (
        1,
        0,
        100,
        [("1605.08386", 1, "Heat-bath random walks with Markov bases", 2, "math.CO math.ST")],
    ),
    "2026-id_list-title-is-0.xml": (1, 0, 100, [("2104.12255", 1, "0", 1, "cs.CR")]),
    "2026-id_list-unknown-id-empty.xml": (0, 0, 100, []),
    "2026-search-page1-10.xml": (
        214881,
        0,
        10,
        [
            ("2202.12139", 1, "Testing Deep Learning Models: A First Comparative Study", 3, "cs.SE cs.LG"),
            ("2405.13786", 1, "Towards Explainable Test Case Prioritisation", 4, "cs.SE cs.AI"),
            ("2005.14124", 2, "Active Fuzzing for Testing and Securing", 5, "cs.SE cs.CR cs.LG"),
            ("2204.08348", 3, "Automated Test Generation for REST APIs", 4, "cs.SE"),
            ("2302.03287", 3, "ChatGPT and Software Testing Education: Promises & Perils", 5, "cs.SE cs.HC"),
            ("1202.4527", 1, "Study Paper on Test Case generation", 2, "cs.SE"),
            ("2503.05378", 2, "A Survey on Web Testing: On the Rise of AI", 4, "cs.SE"),
            ("1205.1866", 1, "Microcontroller Based Testing of Digital IP-Core", 2, "cs.AR"),
            ("2502.07719", 2, "OpenCat: Improving Interoperability of ADS Testing", 4, "cs.SE"),
            ("1812.11470", 1, "A Systematic Literature Review of Automated Techniques", 2, "cs.SE"),
        ],
    ),
}
REFUSED = {
    "2007-perl-error-bad-id.xml": "incorrect id format for 1234.12345",
    "2020-perl-error-start-not-int.xml": "start must be an integer",
    "2026-id_list-bad-id-error400.xml": "incorrect id format for abc",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_real_answers(samples: Path, name: str) -> None:
    answer = parse_answer((samples / "api" / name).read_bytes())
    total, start, per_page, expected = ANSWERS[name]
    assert (answer.total, answer.start, answer.per_page, len(answer.records)) == (total, start, per_page, len(expected))
    for record, (arxiv_id, version, title, authors, categories) in zip(answer.records, expected, strict=True):
        assert (record.arxiv_id, record.version, len(record.authors)) == (arxiv_id, version, authors)
        assert record.title is not None
        assert record.title.startswith(title)
        assert " ".join(record.categories) == categories
        assert record.primary_category == record.categories[0]
        assert [known.version for known in record.versions] == sorted({1, version})
        assert record.versions[0].submitted_at == record.submitted_at
        assert record.versions[-1].submitted_at == record.updated_at
        assert record.abstract is not None
        assert len(record.abstract) > 200
        assert all("\n" not in (line or "") for line in (record.title, record.comments, record.journal_ref, record.doi))
        assert arxiv_id in record.raw


@pytest.mark.parametrize("name", REFUSED)
def test_real_errors(samples: Path, name: str) -> None:
    error = refuse((samples / "api" / name).read_bytes())
    assert (error.reason, error.detail) == ("api_error", f"The search API answered with an error: {REFUSED[name]}.")


def test_every_sample_of_the_api_is_expected(samples: Path) -> None:
    assert {path.name for path in (samples / "api").iterdir()} == set(ANSWERS) | set(REFUSED)


def test_the_body_of_a_429(samples: Path) -> None:
    found = list((samples / "malformed").glob("api-*"))
    assert [path.name for path in found] == ["api-429-body.txt"]
    assert refuse(found[0].read_bytes()).reason == "not_xml"


@pytest.mark.parametrize(
    "folder", ["rss-current", "rss-legacy", "rss-transition", "atom-current", "oai-arxiv", "oai-dc"]
)
def test_no_other_sample_is_taken_for_an_answer(samples: Path, folder: str) -> None:
    for path in (samples / folder).iterdir():
        assert refuse(path.read_bytes()).reason == "unknown_format", path.name


def test_details_of_real_answers(samples: Path) -> None:
    def records(name: str) -> tuple[Record, ...]:
        return parse_answer((samples / "api" / name).read_bytes()).records

    (first,) = records("2007-perl-search-1-entry.xml")
    assert first.title == "Multi-Electron Production at High Transverse Momenta in ep Collisions at HERA"
    assert first.submitted_at == utc("2003-07-07 17:46:39")
    assert first.journal_ref == "Eur.Phys.J. C31 (2003) 17-29"
    assert first.abstract is not None
    assert first.abstract.startswith("Multi-electron production is studied")
    assert "\n" not in first.abstract

    page_of_ten = {record.arxiv_id: record for record in records("2026-search-page1-10.xml")}
    fuzzing = page_of_ten["2005.14124"]
    assert fuzzing.doi == "10.1145/3395363.3397376"
    assert fuzzing.versions == (Version(1, utc("2020-05-28 16:19:50")), Version(2, utc("2020-07-16 08:15:48")))
    review = page_of_ten["1812.11470"].abstract
    assert review is not None
    assert [paragraph.split(".")[0] for paragraph in review.split("\n")] == [
        "Context",
        "Objective",
        "Results",
        "Conclusion",
    ]

    (many,) = records("2026-id_list-single-many-authors.xml")
    assert Author("Dirk Wübben") in many.authors
    asked = ["0808.05394", "1707.08567"]
    answer = parse_answer((samples / "api" / "2026-id_list-one-unknown-one-known.xml").read_bytes())
    assert missing(asked, answer) == ["0808.05394"]
