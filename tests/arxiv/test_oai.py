"""OAI-PMH answers of both servers: read whole, or refused with a reason; and the addresses of requests."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.arxiv import oai, taxonomy
from app.arxiv.entries import Author, Record, Version
from app.errors import FeedRejected, InvalidArxivId, OaiError, UnknownCategory

FIXTURES = Path(__file__).parent / "fixtures" / "records"
PAGE = (FIXTURES / "oai-page.xml").read_bytes()
DC = (FIXTURES / "oai-dc.xml").read_bytes()
BASE = "https://oaipmh.arxiv.org/oai"

THINGS: tuple[taxonomy.Category | taxonomy.Archive, ...] = (*taxonomy.CATEGORIES, *taxonomy.ARCHIVES)
REASONS = {
    "too_large",
    "empty_body",
    "html",
    "not_xml",
    "truncated",
    "forbidden_xml",
    "unknown_format",
    "bad_item",
    "no_date",
}


def refuse(body: bytes, read: Callable[[bytes], object] = oai.parse_page) -> FeedRejected:
    with pytest.raises(FeedRejected) as refused:
        read(body)
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


def answer(inside: str, *, server: str = "http://oaipmh.arxiv.org/oai", at: str = "2026-02-03T04:05:06Z") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">
<responseDate>{at}</responseDate><request>{server}</request>
{inside}
</OAI-PMH>""".encode()


def record(form: str, arxiv_id: str = "2601.00007", datestamp: str = "2026-02-02") -> str:
    return f"""<record><header><identifier>oai:arXiv.org:{arxiv_id}</identifier><datestamp>{datestamp}</datestamp></header>
<metadata>{form}</metadata></record>"""


def raw(inside: str, arxiv_id: str = "2601.00007") -> str:
    return record(f"<arXivRaw><id>{arxiv_id}</id><title>T</title>{inside}</arXivRaw>", arxiv_id)


def version(number: int, letters: str = "") -> str:
    source_type = f"<source_type>{letters}</source_type>" if letters else ""
    return f'<version version="v{number}"><date>Thu, 0{number} Jan 2026 08:30:00 GMT</date>{source_type}</version>'


def only(body: bytes) -> Record:
    page = oai.parse_page(body)
    assert page.token is None
    assert not page.deleted
    (found,) = page.records
    return found


def names(found: Record) -> list[str]:
    return [author.name for author in found.authors]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# What a page says.


def test_page() -> None:
    page = oai.parse_page(PAGE)
    assert page.responded_at == utc("2026-02-03T04:05:06")
    assert page.token is not None
    assert "skip%3D17" in page.token
    assert page.deleted == ("math/0309136",)
    complete, converted = page.records
    assert [complete.format, converted.format] == ["arXivRaw", "arXiv"]


def test_complete_record() -> None:
    found = oai.parse_page(PAGE).records[0]
    assert replace(found, raw="") == Record(
        arxiv_id="2601.00007",
        version=2,
        title="On $a<b$ and the Brewer's Lemma: 100% of cases &amp; more",
        abstract="We brew state-of- the-art tea.\nA second paragraph.",
        authors=(
            Author("Ada Kettle", ("Univ. of Tea",)),
            Author('B. C. Sp\\"out', ("Univ. of Tea", "Pot Institute")),
            Author("D. Lid", ("Univ. of Tea", "Pot Institute")),
        ),
        primary_category="cs.CL",
        categories=("cs.CL", "math.IT", "cs.XX"),
        comments="12 pages, 3 figures",
        journal_ref="J. Tea 1 (2026) 1-12",
        doi="10.1234/tea.1",
        license="http://creativecommons.org/licenses/by/4.0/",
        submitted_at=utc("2026-01-01T08:30:00"),
        updated_at=utc("2026-02-01T23:59:59"),
        versions=(
            Version(1, utc("2026-01-01T08:30:00"), "9kb", None),
            Version(2, utc("2026-02-01T23:59:59"), "418kb", "AD"),
        ),
        withdrawn=False,
        datestamp=date(2026, 2, 2),
        converted=False,
        format="arXivRaw",
        raw="",
    )


def test_converted_record() -> None:
    found = oai.parse_page(PAGE).records[1]
    assert found.arxiv_id == "hep-th/9901001"
    assert names(found) == ["Keck Array", "Frédéric Bouilloire Jr", "Caddy"]
    assert found.abstract == "None."
    assert found.converted
    assert (found.version, found.versions, found.withdrawn) == (None, (), None)
    # Of the current server, "created" is the day of the newest version, so that the first one's is not known.
    assert found.submitted_at is None
    assert found.updated_at == utc("2026-01-30T00:00:00")


def test_raw_record_can_be_read_again() -> None:
    for found in oai.parse_page(PAGE).records:
        assert found.raw.startswith("<record")
        assert found.raw.endswith("</record>")
        again = oai.parse_record(found.raw.encode())
        # Without its envelope, which server wrote it is not known.
        updated_at = None if found.format == "arXiv" else found.updated_at
        assert replace(again, raw="") == replace(found, raw="", updated_at=updated_at)


def test_dublin_core() -> None:
    found = only(DC)
    assert replace(found, raw="") == Record(
        arxiv_id="2601.00007",
        version=None,
        title="A brewer's lemma",
        abstract="We brew.",
        authors=(Author("Ada Kettle"), Author("G. David Samovar, Jr."), Author("The Tea Collaboration")),
        primary_category="stat.ML",
        categories=("stat.ML", "cs.CL"),
        comments="12 pages",
        journal_ref="J. Tea 1 (2026) 1-12",
        doi="10.1234/tea.1",
        license=None,
        submitted_at=utc("2026-01-01T00:00:00"),
        updated_at=utc("2026-02-01T00:00:00"),
        versions=(),
        withdrawn=None,
        datestamp=date(2026, 2, 2),
        converted=True,
        format="oai_dc",
        raw="",
    )


@pytest.mark.parametrize(
    ("sets", "subjects", "categories"),
    [
        (["cs:cs:LG"], ["Machine Learning"], ["cs.LG"]),
        (["cs:cs:LG", "stat:stat:ML"], ["Machine Learning"], ["cs.LG", "stat.ML"]),
        (["physics:math-ph", "math:math:MP"], ["Mathematical Physics", "15A66"], ["math-ph", "math.MP"]),
        # Sets of the old server name archives only, and its subjects name the archive, too.
        (["math"], ["Numerical Analysis"], ["math.NA"]),
        (["physics:physics"], ["Physics - Optics"], ["physics.optics"]),
        (["stat"], ["Statistics - Machine Learning"], ["stat.ML"]),
        (["physics:astro-ph"], ["Astrophysics"], ["astro-ph"]),
        (["physics:hep-th"], ["High Energy Physics - Theory"], ["hep-th"]),
        # Two categories have this name, and nothing tells which is meant.
        ([], ["Machine Learning", "Computation and Language"], [None, "cs.CL"]),
        ([], ["A category of the future", "Physics - Optics"], [None, "physics.optics"]),
        ([], [], [None]),
    ],
)
def test_names_of_categories(sets: list[str], subjects: list[str], categories: list[str | None]) -> None:
    text = DC.decode()
    head, _, rest = text.partition("<setSpec>")
    body = head + "".join(f"<setSpec>{spec}</setSpec>" for spec in sets) + rest[rest.index("</header>") :]
    head, _, rest = body.partition("<dc:subject>")
    body = (
        head + "".join(f"<dc:subject>{name}</dc:subject>" for name in subjects) + rest[rest.index("<dc:description>") :]
    )
    found = only(body.encode())
    assert found.primary_category == categories[0]
    assert list(found.categories) == [name for name in categories if name]


@pytest.mark.parametrize(
    ("letters", "withdrawn"),
    [([""], False), (["D", "I"], True), (["", "I", ""], False), (["", "AI"], True), (["I"], True), (["I", "S"], False)],
)
def test_withdrawn_is_what_the_newest_version_says(letters: list[str], withdrawn: bool) -> None:
    versions = [version(number, letter) for number, letter in enumerate(letters, 1)]
    found = only(answer(f"<GetRecord>{raw(''.join(reversed(versions)))}</GetRecord>"))
    assert found.withdrawn is withdrawn
    assert found.version == len(letters)


def test_versions_that_are_not_all_there() -> None:
    found = only(answer(f"<GetRecord>{raw(version(3) + version(2))}</GetRecord>"))
    assert (found.version, found.submitted_at, found.updated_at) == (3, None, utc("2026-01-03T08:30:00"))
    found = only(answer(f"<GetRecord>{raw('')}</GetRecord>"))
    assert (found.version, found.submitted_at, found.updated_at, found.withdrawn) == (None, None, None, None)


@pytest.mark.parametrize(
    ("server", "at", "submitted", "updated"),
    [
        ("http://export.arxiv.org/oai2", "2018-01-26T09:05:29Z", "2026-01-01", "2026-01-05"),
        ("http://oaipmh.arxiv.org/oai", "2026-02-03T04:05:06Z", None, "2026-01-01"),
        ("https://arxiv.org/oai", "2025-03-03T04:05:06Z", None, "2026-01-01"),
        # Neither the one nor the other: nothing is claimed.
        ("http://export.arxiv.org/oai2", "2026-02-03T04:05:06Z", None, None),
        ("https://mirror.example/harvest", "2018-01-26T09:05:29Z", None, None),
        ("", "2018-01-26T09:05:29Z", None, None),
    ],
)
def test_days_mean_what_their_server_means(server: str, at: str, submitted: str | None, updated: str | None) -> None:
    days = "<created>2026-01-01</created><updated>2026-01-05</updated>"
    inside = f"<GetRecord>{record(f'<arXiv><id>2601.00007</id>{days}<title>T</title></arXiv>')}</GetRecord>"
    found = only(answer(inside, server=server, at=at))
    assert found.submitted_at == (utc(submitted) if submitted else None)
    assert found.updated_at == (utc(updated) if updated else None)


def test_namespaces_and_prefixes_do_not_matter() -> None:
    plain = changed(PAGE, ('xmlns="http://arxiv.org/OAI/arXivRaw/" ', ""), (' xmlns="http://arxiv.org/OAI/arXiv/"', ""))
    prefixed = changed(
        changed(
            plain, (' xmlns="http://www.openarchives.org/OAI/2.0/"', ' xmlns:o="http://www.openarchives.org/OAI/2.0/"')
        ),
        ("<OAI-PMH", "<o:OAI-PMH"),
        ("</OAI-PMH", "</o:OAI-PMH"),
        ("ListRecords>", "o:ListRecords>"),
    )
    without_raw = [replace(found, raw="") for found in oai.parse_page(PAGE).records]
    for body in (plain, prefixed):
        page = oai.parse_page(body)
        assert [replace(found, raw="") for found in page.records] == without_raw
        assert page.token is not None


def test_comments_and_unknown_elements_are_passed_over() -> None:
    body = changed(
        PAGE,
        ("<ListRecords>", "<extension>of the future</extension><ListRecords><!-- first --><?page 1?>"),
        ("<title>", "<title><!-- a title -->"),
        ("</metadata>", "<!-- that was it --></metadata>"),
    )
    assert [found.title for found in oai.parse_page(body).records] == [
        found.title for found in oai.parse_page(PAGE).records
    ]


@pytest.mark.parametrize("token", ["", "<resumptionToken/>", "<resumptionToken> \n </resumptionToken>"])
def test_last_page(token: str) -> None:
    assert oai.parse_page(answer(f"<ListRecords>{raw(version(1))}{token}</ListRecords>")).token is None


def test_page_of_deleted_records_only() -> None:
    gone = "<record><header status='deleted'><identifier>oai:arXiv.org:2601.00007</identifier>"
    gone += "<datestamp>2026-02-02</datestamp></header></record>"
    page = oai.parse_page(answer(f"<ListRecords>{gone}</ListRecords>"))
    assert (page.records, page.deleted, page.token) == ((), ("2601.00007",), None)


def test_identifiers() -> None:
    headers = """<header><identifier>oai:arXiv.org:math.GT/0309136</identifier><datestamp>2026-02-01</datestamp></header>
    <header status="deleted"><identifier>oai:arXiv.org:2601.00007</identifier><datestamp>2026-02-02</datestamp></header>"""
    found = oai.parse_identifiers(
        answer(f"<ListIdentifiers>{headers}<resumptionToken>t</resumptionToken></ListIdentifiers>")
    )
    assert found.responded_at == utc("2026-02-03T04:05:06")
    assert found.token == "t"
    assert found.headers == (
        oai.Header("math/0309136", date(2026, 2, 1)),
        oai.Header("2601.00007", date(2026, 2, 2), deleted=True),
    )


# Errors of the protocol.

CODES = [
    "badArgument",
    "badResumptionToken",
    "badVerb",
    "cannotDisseminateFormat",
    "idDoesNotExist",
    "noMetadataFormats",
    "noSetHierarchy",
    "codeOfTheFuture",
]
READERS: list[Callable[[bytes], object]] = [oai.parse_page, oai.parse_identifiers, oai.parse_sets, oai.parse_identify]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("code", CODES)
def test_errors_of_the_server(code: str, read: Callable[[bytes], object]) -> None:
    with pytest.raises(OaiError) as raised:
        read(answer(f"<error code='{code}'>Some words.\n  Reason: no tea left</error>"))
    error = raised.value
    assert (error.reason, error.code, error.status) == (code, "oai_error", 502)
    assert error.extra == {"reason": code}
    assert error.detail == f"arXiv's OAI-PMH server refused the request with {code}: Some words. Reason: no tea left"


def test_nothing_found_is_an_ordinary_answer() -> None:
    body = answer("<error code='noRecordsMatch'>The combination results in an empty list.</error>")
    at = utc("2026-02-03T04:05:06")
    assert oai.parse_page(body) == oai.Page(at, (), None, ())
    assert oai.parse_identifiers(body) == oai.Identifiers(at, (), None)
    for read in (oai.parse_sets, oai.parse_identify):
        with pytest.raises(OaiError) as raised:
            read(body)
        assert raised.value.reason == "noRecordsMatch"


def test_the_worst_of_several_errors_counts() -> None:
    errors = "<error code='noRecordsMatch'/><error code='badArgument'/>"
    with pytest.raises(OaiError) as raised:
        oai.parse_page(answer(errors))
    assert raised.value.reason == "badArgument"
    assert "no reason given" in raised.value.detail


def test_long_reasons_are_shortened() -> None:
    with pytest.raises(OaiError) as raised:
        oai.parse_page(answer(f"<error code='badArgument'>{'tea ' * 10_000}</error>"))
    assert len(raised.value.detail) < 500


# What is refused.


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty_body"),
        (b" \n", "empty_body"),
        (b"<!DOCTYPE html><html><body>Rate exceeded.</body></html>", "html"),
        (b"<html><body>503</body></html>", "html"),
        (b"Rate exceeded.", "not_xml"),
        (b"<OAI-PMH><a></b></OAI-PMH>", "not_xml"),
        (PAGE[: len(PAGE) // 2], "truncated"),
        (PAGE.replace(b"<OAI-PMH", b'<!DOCTYPE x [<!ENTITY a "b">]><OAI-PMH', 1), "forbidden_xml"),
        (b"<a>" * 100_000 + b"</a>" * 100_000, "not_xml"),
        (b"<rss/>", "unknown_format"),
        (b"<record/>", "unknown_format"),
        (answer(""), "unknown_format"),
        (answer("<ListRecords/>"), "unknown_format"),
        (answer("<ListRecords><resumptionToken/></ListRecords>"), "unknown_format"),
        (answer("<ListRecords><Record/></ListRecords>"), "unknown_format"),
        (answer("<GetRecord/>"), "unknown_format"),
        (answer("<ListSets/>"), "unknown_format"),
        (answer("<ListRecords/><ListRecords/>"), "unknown_format"),
        (answer("<error>no code</error>"), "unknown_format"),
        (answer(f"<error code='noRecordsMatch'/><ListRecords>{raw('')}</ListRecords>"), "unknown_format"),
        (changed(PAGE, ("<responseDate>2026-02-03T04:05:06Z</responseDate>", "")), "no_date"),
        (changed(PAGE, ("2026-02-03T04:05:06Z", "teatime")), "no_date"),
        (changed(PAGE, ("2026-02-03T04:05:06Z", "2026-02-03T04:05:06")), "no_date"),
    ],
)
def test_refused(body: bytes, reason: str) -> None:
    assert refuse(body).reason == reason


def test_entity_bomb() -> None:
    lines = "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?>\n<!DOCTYPE t [<!ENTITY b0 "tea">{lines}]><OAI-PMH>&b9;</OAI-PMH>'
    assert refuse(bomb.encode()).reason == "forbidden_xml"
    assert refuse(bomb.encode("utf-16")).reason in ("forbidden_xml", "not_xml")


def test_too_large() -> None:
    assert refuse(PAGE, lambda body: oai.parse_page(body, max_bytes=len(PAGE) - 1)).reason == "too_large"
    assert len(oai.parse_page(PAGE, max_bytes=len(PAGE)).records) == 2


def test_large_pages_are_read() -> None:
    # A page of 2,500 records has about ten megabytes, at which some XML parsers stop.
    long = f"<ListRecords>{raw('<abstract>' + 'tea ' * 2_000 + '</abstract>') * 2_500}</ListRecords>"
    body = answer(long)
    assert len(body) > 20_000_000
    assert len(oai.parse_page(body).records) == 2_500


@pytest.mark.parametrize(
    ("old", "new", "reason", "named"),
    [
        ("oai:arXiv.org:hep-th/9901001", "oai:arXiv.org:teapot", "bad_item", "teapot"),
        ("<id>hep-th/9901001</id>", "<id>teapot</id>", "bad_item", "hep-th/9901001"),
        ("<id>hep-th/9901001</id>", "<id>hep-th/9901002</id>", "bad_item", "hep-th/9901002"),
        ("<identifier>oai:arXiv.org:hep-th/9901001</identifier>", "", "bad_item", "item 3"),
        ("<datestamp>2026-02-02</datestamp>", "<datestamp>02/02/2026</datestamp>", "bad_item", "2601.00007"),
        ("<datestamp>2026-02-02</datestamp>", "<datestamp>2026-02-30</datestamp>", "bad_item", "2601.00007"),
        ("<datestamp>2026-02-02</datestamp>", "", "no_date", "2601.00007"),
        ("<created>2026-01-30</created>", "<created>yesterday</created>", "bad_item", "hep-th/9901001"),
        ('version="v2"', 'version="2"', "bad_item", "2601.00007"),
        ('version="v2"', 'version="v0"', "bad_item", "2601.00007"),
        ('version="v2"', 'version="v20000"', "bad_item", "2601.00007"),
        ('version="v2"', 'version="v1"', "bad_item", "2601.00007"),
        ("Sun, 01 Feb 2026 23:59:59 GMT", "before tea", "bad_item", "2601.00007"),
        ("<title>Strings of teapots</title>", "<title>A</title><title>B</title>", "bad_item", "hep-th/9901001"),
        ("</metadata>", "<arXiv/></metadata>", "bad_item", "2601.00007"),
        ("arXivRaw", "arXivNew", "bad_item", "arXivNew"),
    ],
)
def test_one_bad_record_refuses_the_page_and_is_named(old: str, new: str, reason: str, named: str) -> None:
    error = refuse(changed(PAGE, (old, new)))
    assert error.reason == reason
    assert named in error.detail


@pytest.mark.parametrize(
    "inside",
    [
        "<header/><metadata/>",
        "<metadata><arXivRaw><id>2601.00007</id></arXivRaw></metadata>",
        "<header><identifier>oai:arXiv.org:2601.00007</identifier><datestamp>2026-02-02</datestamp></header>",
        "<header><identifier>oai:arXiv.org:2601.00007</identifier><datestamp>2026-02-02</datestamp></header><metadata/>",
        "",
    ],
)
def test_records_without_their_parts(inside: str) -> None:
    assert refuse(answer(f"<ListRecords>{raw('')}<record>{inside}</record></ListRecords>")).reason == "bad_item"


def test_record_whose_elements_were_renamed() -> None:
    form = "<arXivRaw><id>2601.00007</id><heading>T</heading></arXivRaw>"
    error = refuse(answer(f"<ListRecords>{record(form)}</ListRecords>"))
    assert error.reason == "bad_item"
    assert "2601.00007" in error.detail


def test_bad_parts_of_dublin_core() -> None:
    for old, new in [
        ("http://arxiv.org/abs/2601.00007", "http://arxiv.org/abs/2601.00008"),
        ("http://arxiv.org/abs/2601.00007", "http://arxiv.org/abs/teapot"),
        ("<dc:date>2026-01-01</dc:date>", "<dc:date>2026</dc:date>"),
        ("</dc:title>", "</dc:title><dc:title>Another</dc:title>"),
    ]:
        assert refuse(changed(DC, (old, new))).reason == "bad_item"


def test_other_answers_are_refused_in_the_same_way() -> None:
    for read in READERS:
        assert refuse(b"<html/>", read).reason == "html"
        assert refuse(b"", read).reason == "empty_body"
        assert refuse(PAGE[:-5], read).reason == "truncated"
        assert refuse(answer("<ListMetadataFormats/>"), read).reason == "unknown_format"
    for inside in ("", "<header/>", "<header><identifier>x</identifier></header>"):
        refuse(answer(f"<ListIdentifiers>{inside}</ListIdentifiers>"), oai.parse_identifiers)
    assert refuse(answer("<ListSets/>"), oai.parse_sets).reason == "unknown_format"
    assert refuse(answer("<ListSets><set/></ListSets>"), oai.parse_sets).reason == "bad_item"
    more = "<ListSets><set><setSpec>cs</setSpec></set><resumptionToken>t</resumptionToken></ListSets>"
    assert refuse(answer(more), oai.parse_sets).reason == "unknown_format"
    assert refuse(answer("<Identify/>"), oai.parse_identify).reason == "no_date"
    day = "<Identify><earliestDatestamp>2005-09-16</earliestDatestamp></Identify>"
    assert refuse(answer(day), oai.parse_identify).reason == "unknown_format"


def test_records_without_an_envelope() -> None:
    assert oai.parse_record(raw(version(1)).encode()).version == 1
    assert refuse(PAGE, oai.parse_record).reason == "unknown_format"
    assert refuse(b"<record/>", oai.parse_record).reason == "bad_item"
    gone = b"<record><header status='deleted'><identifier>oai:arXiv.org:2601.00007</identifier>"
    gone += b"<datestamp>2026-02-02</datestamp></header></record>"
    assert refuse(gone, oai.parse_record).reason == "bad_item"


@settings(max_examples=300)
@given(st.integers(0, len(PAGE.rstrip()) - 1))
def test_no_part_of_a_page_is_taken_for_the_whole(length: int) -> None:
    assert refuse(PAGE[:length]).reason in ("truncated", "empty_body", "not_xml")


@given(st.integers(0, len(DC) - 1), st.binary(max_size=8), st.integers(0, 40))
def test_a_damaged_page_is_read_or_refused(place: int, put: bytes, taken: int) -> None:
    body = DC[:place] + put + DC[place + taken :]
    try:
        page = oai.parse_page(body)
    except (FeedRejected, OaiError):
        return
    assert len(page.records) + len(page.deleted) == 1


# Requests.


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}


def test_addresses_of_lists() -> None:
    url = oai.records_url(BASE, set_spec="cs:cs:CL", from_on=date(2026, 2, 1), until_on=date(2026, 2, 2))
    assert url == (
        "https://oaipmh.arxiv.org/oai?verb=ListRecords&metadataPrefix=arXivRaw&from=2026-02-01&until=2026-02-02&set=cs:cs:CL"
    )
    assert oai.records_url(BASE) == BASE + "?verb=ListRecords&metadataPrefix=arXivRaw"
    assert query(oai.identifiers_url(BASE, from_on=date(2026, 2, 1), prefix="arXiv")) == {
        "verb": "ListIdentifiers",
        "metadataPrefix": "arXiv",
        "from": "2026-02-01",
    }


@pytest.mark.parametrize(
    "given_id", ["hep-th/9901001", "arXiv:hep-th/9901001v2", "https://arxiv.org/abs/hep-th/9901001"]
)
def test_address_of_a_record(given_id: str) -> None:
    url = oai.get_record_url(BASE, given_id, "arXiv")
    assert url == BASE + "?verb=GetRecord&identifier=oai:arXiv.org:hep-th/9901001&metadataPrefix=arXiv"


def test_address_of_no_record() -> None:
    with pytest.raises(InvalidArxivId):
        oai.get_record_url(BASE, "teapot&verb=Identify")


TOKEN = "verb%3DListRecords%26metadataPrefix%3DarXiv%26from%3D2019-09-18%26until%3D2019-12-31%26skip%3D0"


def test_address_of_the_next_page() -> None:
    url = oai.resume_url(BASE, TOKEN)
    assert url.startswith(BASE + "?verb=ListRecords&resumptionToken=verb%253DListRecords%2526")
    assert query(url) == {"verb": "ListRecords", "resumptionToken": TOKEN}
    assert query(oai.resume_url(BASE, "6825723|1001", "ListIdentifiers")) == {
        "verb": "ListIdentifiers",
        "resumptionToken": "6825723|1001",
    }


@given(st.text())
def test_any_token_comes_back_as_it_was(token: str) -> None:
    assert unquote(oai.resume_url(BASE, token.encode(errors="replace").decode()).partition("resumptionToken=")[2]) == (
        token.encode(errors="replace").decode()
    )
    oai.resume_from(token)


@pytest.mark.parametrize(
    ("token", "day"),
    [
        (TOKEN, date(2019, 9, 18)),
        (unquote(TOKEN), date(2019, 9, 18)),
        ("verb%3DListRecords%26metadataPrefix%3DarXiv%26skip%3D2500", None),
        ("verb%3DListRecords%26from%3Dyesterday%26skip%3D0", None),
        ("6825723|1001", None),
        ("", None),
    ],
)
def test_day_in_a_token(token: str, day: date | None) -> None:
    assert oai.resume_from(token) == day


# Sets.


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("cs.CL", "cs:cs:CL"),
        (" cs.cl ", "cs:cs:CL"),
        ("hep-lat", "physics:hep-lat"),
        ("cs", "cs:cs"),
        ("physics", "physics:physics"),
        ("physics.optics", "physics:physics:optics"),
        ("astro-ph.GA", "physics:astro-ph:GA"),
        ("cs.NA", "math:math:NA"),
        ("cmp-lg", "cs:cs:CL"),
        ("q-bio", "q-bio:q-bio"),
        ("cs:cs:CL", "cs:cs:CL"),
        ("cs:cs:NA", "cs:cs:NA"),
        ("physics:hep-lat", "physics:hep-lat"),
    ],
)
def test_set_of(name: str, spec: str) -> None:
    assert oai.set_of(name) == spec


@pytest.mark.parametrize(
    "name", ["", "tea", "cs:CL", "cs:cs:ZZ", "cs:cmp-lg", "cs:cs:cl", "grp_physics", "cs.CL,cs.AI"]
)
def test_no_set(name: str) -> None:
    with pytest.raises(UnknownCategory):
        oai.set_of(name)


def test_every_set_leads_back_to_its_category() -> None:
    for thing in THINGS:
        assert oai.category_of(oai.set_of(thing.id)) == thing.canonical
        assert oai.set_of(oai.set_of(thing.id)) == oai.set_of(thing.id)
    for spec in ("physics", "cs", "cs:cs:ZZ", ""):
        assert oai.category_of(spec) is None


# Real answers, and answers of arXiv's own code.


def read_sample(samples: Path, name: str) -> bytes:
    return (samples / name).read_bytes()


def only_in(samples: Path, name: str) -> Record:
    return only(read_sample(samples, name))


def test_every_sample_is_read(samples: Path) -> None:
    seen = 0
    for path in sorted([*samples.glob("oai-*/*.xml"), *samples.glob("malformed/oai-*.xml")]):
        body = path.read_bytes()
        if "ListIdentifiers" in path.name or "ListSets" in path.name or "Identify" in path.name:
            continue
        if "ListMetadataFormats" in path.name:
            assert refuse(body).reason == "unknown_format"
        elif path.name.startswith("gen-error-") and "noRecordsMatch" not in path.name:
            with pytest.raises(OaiError) as raised:
                oai.parse_page(body)
            assert raised.value.reason == path.stem.split("-")[2]
        elif b"OAI-PMH" not in body:
            assert oai.parse_record(body).format == "oai_dc"
        else:
            page = oai.parse_page(body)
            assert len(page.records) == body.count(b"<record>")
            assert all(found.title and found.abstract and found.authors and found.categories for found in page.records)
            assert all("  " not in (found.title or "") and "\n" not in (found.title or "") for found in page.records)
        seen += 1
    assert seen >= 40


def test_sample_versions(samples: Path) -> None:
    found = only_in(samples, "oai-arxivraw/gen-GetRecord-0806.4129.xml")
    assert (found.arxiv_id, found.version, found.withdrawn, found.converted) == ("0806.4129", 6, False, False)
    assert [row.version for row in found.versions] == [1, 2, 3, 4, 5, 6]
    assert found.versions[1] == Version(2, utc("2009-02-02T19:27:00"), "14kb", None)
    assert found.submitted_at == utc("2008-06-25T15:29:38")
    assert found.updated_at == utc("2014-12-12T13:15:28")
    assert found.datestamp == date(2014, 12, 15)
    assert names(found) == ["Roldao da Rocha", "Waldyr A. Rodrigues Jr"]
    assert found.categories == ("math-ph", "math.MP")
    assert found.journal_ref == "AIP Conf.Proc.1316:466-477,2010"
    assert found.doi == "10.1063/1.3536454"
    assert found.license == "http://arxiv.org/licenses/nonexclusive-distrib/1.0/"
    assert found.comments == "15 pages. This version corrects some misprints of the published version"


def test_sample_in_all_formats(samples: Path) -> None:
    complete = only_in(samples, "oai-arxivraw/gen-GetRecord-0806.4129.xml")
    assert complete.submitted_at is not None
    for name in (
        "oai-arxiv/gen-GetRecord-0806.4129.xml",
        "oai-arxiv/gen-GetRecord-0806.4129-arXivOld.xml",
        "oai-dc/gen-GetRecord-0806.4129.xml",
    ):
        found = only_in(samples, name)
        for field in (
            "arxiv_id",
            "title",
            "categories",
            "primary_category",
            "comments",
            "journal_ref",
            "doi",
            "datestamp",
        ):
            assert getattr(found, field) == getattr(complete, field), (name, field)
        assert names(found) == names(complete)
        assert (found.version, found.withdrawn) == (None, None)
    old, current, general = (
        only_in(samples, "oai-arxiv/gen-GetRecord-0806.4129-arXivOld.xml"),
        only_in(samples, "oai-arxiv/gen-GetRecord-0806.4129.xml"),
        only_in(samples, "oai-dc/gen-GetRecord-0806.4129.xml"),
    )
    assert (old.format, old.submitted_at, old.updated_at, old.converted) == ("arXivOld", None, None, False)
    assert (current.format, current.submitted_at, current.converted) == ("arXiv", None, True)
    assert current.updated_at == utc("2014-12-12T00:00:00")
    assert (general.format, general.submitted_at) == ("oai_dc", utc("2008-06-25T00:00:00"))


def test_sample_withdrawn_and_restored(samples: Path) -> None:
    found = only_in(samples, "oai-arxivraw/gen-withdrawn-0903.0442.xml")
    assert (found.version, found.withdrawn) == (5, True)
    assert found.versions[-1] == Version(5, utc("2011-02-02T00:49:18"), "0kb", "I")
    assert found.title is not None
    assert "Niedermayer's" in found.title
    found = only_in(samples, "oai-arxivraw/gen-withdrawn-v2-restored-v3-1101.2736.xml")
    assert (found.version, found.withdrawn) == (3, False)
    assert [row.source_type for row in found.versions] == [None, "I", None]


def test_sample_of_2019(samples: Path) -> None:
    found = only_in(samples, "oai-arxivraw/2019-GetRecord-1810.09584.xml")
    assert names(found)[-1] == r"\'Edgar Rold\'an"
    assert found.abstract is not None
    assert "\n" not in found.abstract
    assert [row.source_type for row in found.versions] == ["D", "D"]
    assert found.primary_category == "cond-mat.stat-mech"


def test_sample_without_licence(samples: Path) -> None:
    found = only_in(samples, "oai-arxivraw/gen-acm-class-None-cs_0001024.xml")
    assert (found.arxiv_id, found.license) == ("cs/0001024", None)
    assert found.abstract is not None
    assert found.abstract.startswith("We describe")


def test_sample_of_the_old_server(samples: Path) -> None:
    page = oai.parse_page(read_sample(samples, "oai-arxiv/2017-ListRecords-hep-ex.xml"))
    found = page.records[0]
    assert (found.arxiv_id, found.submitted_at, found.updated_at) == (
        "1706.05371",
        utc("2017-06-16T00:00:00"),
        utc("2017-12-12T00:00:00"),
    )
    assert found.datestamp == date(2017, 12, 14)
    # A paper of one version has no "updated" there.
    found = only_in(samples, "oai-arxiv/2016-GetRecord-sample1.xml")
    assert found.submitted_at == found.updated_at == utc("2015-12-25T00:00:00")
    page = oai.parse_page(read_sample(samples, "oai-arxiv/2016-multi-record.xml"))
    assert len(page.records) == 12
    assert names(page.records[4])[:3] == ["Keck Array", "BICEP2 Collaborations", "P. Ade"]
    assert page.records[7].authors[0] == Author("Curtis J. Saxton", ("Technion", "DESY"))
    found = only_in(samples, "oai-arxiv/2018-GetRecord-1401.2122.xml")
    assert found.abstract is not None
    assert found.abstract.count("\n") == 1


def test_sample_of_the_current_server(samples: Path) -> None:
    found = only_in(samples, "oai-arxiv/2026-02-GetRecord-2511.11447-trimmed.xml")
    assert (found.submitted_at, found.updated_at) == (None, utc("2025-11-17T00:00:00"))
    found = only_in(samples, "oai-arxiv/gen-collaboration-1101.6079.xml")
    assert names(found) == ["The D0 Collaboration", "V. M. Abazov"]
    assert (
        found.title
        == "Search for the Standard Model Higgs Boson in the H -> WW -> lepton+neutrino+q'qbar Decay Channel"
    )


def test_sample_without_namespace(samples: Path) -> None:
    found = only_in(samples, "malformed/oai-arxiv-missing-namespace.xml")
    assert found.categories == ("quant-ph", "gr-qc", "hep-th", "chao-dyn", "nlin.CD")
    assert found.doi == "10.1103/PhysRevD.93.016005, 10.1103/PhysRevD.98.079901;10.1103/PhysRevD.98.079903"
    assert names(found)[0] == "Planck Collaboration"


def test_sample_pages(samples: Path) -> None:
    first = oai.parse_page(read_sample(samples, "oai-arxiv/gen-ListRecords-page1-token.xml"))
    assert [found.arxiv_id for found in first.records] == ["0910.4570", "1102.0333", "1102.0317"]
    assert first.token is not None
    assert oai.resume_from(first.token) == date(2019, 8, 15)
    last = oai.parse_page(read_sample(samples, "oai-arxiv/gen-ListRecords-page2-last.xml"))
    assert last.token is None
    assert len(last.records) == 2
    listed = oai.parse_identifiers(read_sample(samples, "oai-arxiv/gen-ListIdentifiers-page1-token.xml"))
    assert listed.headers[-1] == oai.Header("1102.0551", date(2019, 8, 15))
    assert listed.token is not None
    empty = oai.parse_page(read_sample(samples, "oai-arxiv/gen-error-noRecordsMatch.xml"))
    assert (empty.records, empty.token) == ((), None)


def test_sample_dublin_core(samples: Path) -> None:
    found = oai.parse_record(read_sample(samples, "oai-dc/2017-astro-ph_9501013.xml"))
    assert found.arxiv_id == "astro-ph/9501013"
    assert found.comments is not None
    assert found.comments.startswith("One self-unpacking uuencoded")
    assert found.abstract is not None
    assert found.abstract.count("\n") == 2
    assert (found.submitted_at, found.updated_at) == (utc("1995-01-05T00:00:00"), utc("1995-09-01T00:00:00"))
    assert found.categories == ("astro-ph",)
    assert oai.parse_record(read_sample(samples, "oai-dc/2017-0901_2443.xml")).authors[0] == Author("B. Özel")
    found = only_in(samples, "oai-dc/gen-GetRecord-1102.0316.xml")
    assert names(found) == ["G. David Forney, Jr.", "Pascal O. Vontobel"]
    assert found.categories == ("cs.IT", "math.IT")


def test_sample_of_the_sets(samples: Path) -> None:
    listed = oai.parse_sets(read_sample(samples, "oai-arxiv/gen-ListSets.xml"))
    groups = {spec for spec in listed if ":" not in spec}
    assert len(groups) == 8
    assert set(listed) - groups == {taxonomy.OAI_SETS[thing.id] for thing in THINGS if thing.active}
    assert all(oai.set_of(spec) == spec for spec in set(listed) - groups)


def test_sets_are_those_of_the_reference(samples: Path) -> None:
    reference = json.loads((samples.parent / "taxonomy.json").read_text(encoding="utf-8"))
    expected = {row["id"]: row["oai_set"] for table in ("archives", "categories") for row in reference[table]}
    assert expected == taxonomy.OAI_SETS


def test_sample_identify(samples: Path) -> None:
    assert oai.parse_identify(read_sample(samples, "oai-arxiv/gen-Identify.xml")) == oai.Identify(
        responded_at=utc("2026-11-22T04:16:35"),
        base_url="https://oaipmh.arxiv.org/oai",
        earliest=date(2005, 9, 16),
        granularity="YYYY-MM-DD",
        deleted_record="persistent",
    )
