"""Every input form of FACTS section 10, and what is no identifier."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.arxiv import ids
from app.arxiv.ids import ArxivId
from app.errors import InvalidArxivId

FORMS = [
    "{}",
    "  {}\n",
    "arXiv:{}",
    "ARXIV:{}",
    "arxiv: {}",
    "oai:arXiv.org:{}",
    "http://arxiv.org/abs/{}",
    "https://arxiv.org/abs/{}",
    "https://www.arxiv.org/abs/{}",
    "https://export.arxiv.org/abs/{}",
    "https://rss.arxiv.org/abs/{}",
    "HTTPS://ArXiv.org/abs/{}",
    "arxiv.org/abs/{}",
    "https://arxiv.org/abs/{}/",
    "https://arxiv.org/abs/{}?context=cs.CL",
    "https://arxiv.org/abs/{}#comments",
    "https://arxiv.org/pdf/{}",
    "https://arxiv.org/pdf/{}.pdf",
    "https://arxiv.org/pdf/{}.pdf#page=3",
    "https://arxiv.org/html/{}",
    "https://arxiv.org/format/{}",
    "https://arxiv.org/src/{}",
    "https://arxiv.org/e-print/{}",
    "{}.pdf",
    "10.48550/arXiv.{}",
    "doi:10.48550/arxiv.{}",
    "https://doi.org/10.48550/arXiv.{}",
    "http://dx.doi.org/10.48550/arXiv.{}",
]

IDS = [
    ("2404.02342", "2404.02342"),
    ("0704.0001", "0704.0001"),
    ("1412.9999", "1412.9999"),
    ("hep-th/9901001", "hep-th/9901001"),
    ("HEP-TH/9901001", "hep-th/9901001"),
    ("math/0309136", "math/0309136"),
    ("math.GT/0309136", "math/0309136"),
    ("cond-mat.mtrl-sci/9901234", "cond-mat/9901234"),
    ("physics/0512001", "physics/0512001"),
    # arXiv's own test data has a month 34.
    ("1234.5645", "1234.5645"),
]

WRONG = [
    "",
    " ",
    "teapot",
    "cs.CL",
    "2404",
    "2404.023",
    "2404.023421",
    "2404.00000",
    "0704.0000",
    "hep-th/9901000",
    "hep-th/990100",
    "hep-th/99010011",
    "hep-th9901001",
    "/9901001",
    "2404.02342v",
    "2404.02342v0",
    "2404.02342v01",
    "2404.02342v99999",
    "2404.02342v1v2",
    "2404.02342 v1",
    "2404.02342/extra",
    "2404,02342",
    "２４０４.02342",
    "2404.0234٢",
    "2404.02342\x00",
    "\x002404.02342",
    "2404.02342\n2404.02343",
    "arXiv:",
    "arXiv:arXiv:2404.02342",
    "https://example.org/abs/2404.02342",
    "https://arxiv.org.example.org/abs/2404.02342",
    "https://notarxiv.org/abs/2404.02342",
    "https://arxiv.org/list/2404.02342",
    "https://arxiv.org/abs/",
    "ftp://arxiv.org/abs/2404.02342",
    "10.1000/arXiv.2404.02342",
    "https://doi.org/2404.02342",
    "2404.02342" + " " * 200,
    "1" * 10_000,
]


@pytest.mark.parametrize("version", [None, 1, 27])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("text", "canonical"), IDS)
def test_reads_every_form(form: str, text: str, canonical: str, version: int | None) -> None:
    written = text if version is None else f"{text}v{version}"
    assert ids.parse(form.format(written)) == ArxivId(canonical, version)


@pytest.mark.parametrize("text", WRONG)
def test_refuses_what_is_no_identifier_and_shows_a_right_one(text: str) -> None:
    with pytest.raises(InvalidArxivId) as refused:
        ids.parse(text)
    assert refused.value.detail.endswith("2404.02342, 2404.02342v2 or hep-th/9901001.")
    assert "\x00" not in refused.value.detail
    assert len(refused.value.detail) < 250


def test_writes_itself_as_arxiv_does() -> None:
    assert str(ArxivId("hep-th/9901001")) == "hep-th/9901001"
    assert str(ArxivId("2404.02342", 2)) == "2404.02342v2"


def test_addresses() -> None:
    assert ids.abs_url("hep-th/9901001") == "https://arxiv.org/abs/hep-th/9901001"
    assert ids.pdf_url("2404.02342") == "https://arxiv.org/pdf/2404.02342"


def test_orders_by_time_across_both_schemes() -> None:
    in_time = [
        "hep-th/9107001",
        "hep-th/9112001",
        "astro-ph/9204001",
        "cond-mat/9912999",
        "astro-ph/0001001",
        "math/0001001",
        "cs/0001002",
        "hep-th/0703999",
        "0704.0001",
        "0704.0002",
        "0912.4321",
        "1412.9999",
        "1501.00001",
        "2404.02342",
        "2404.12342",
        "9107.00001",
    ]
    keys = [ids.order_key(arxiv_id) for arxiv_id in in_time]
    assert keys == sorted(set(keys))


def test_order_key_names_the_year_in_full() -> None:
    assert ids.order_key("hep-th/9901001") == "199901-00001-hep-th"
    assert ids.order_key("0704.0001") == "200704-00001-4"
    assert ids.order_key("2404.0234") != ids.order_key("2404.00234")


def test_order_key_refuses_what_is_no_identifier() -> None:
    with pytest.raises(InvalidArxivId):
        ids.order_key("teapot")


@st.composite
def new_ids(draw: st.DrawFn) -> tuple[tuple[int, int, int, str], str]:
    """A time to sort by, and a new-style id."""
    year, month = draw(st.integers(7, 99)), draw(st.integers(1, 12))
    if (year, month) < (7, 4):
        month = 4
    digits = 4 if year < 15 else 5
    number = draw(st.integers(1, 10**digits - 1))
    return (2000 + year, month, number, ""), f"{year:02d}{month:02d}.{number:0{digits}d}"


@st.composite
def old_ids(draw: st.DrawFn) -> tuple[tuple[int, int, int, str], str]:
    """A time to sort by, and an old-style id."""
    year, month = draw(st.integers(1992, 2006)), draw(st.integers(1, 12))
    number = draw(st.integers(1, 999))
    archive = draw(st.sampled_from(["hep-th", "math", "cs", "astro-ph", "q-bio"]))
    return (year, month, number, archive), f"{archive}/{year % 100:02d}{month:02d}{number:03d}"


any_id = st.one_of(new_ids(), old_ids())


@given(any_id, st.none() | st.integers(1, 9999), st.sampled_from(FORMS))
def test_every_form_leads_back(paper: tuple[tuple[int, int, int, str], str], version: int | None, form: str) -> None:
    expected = ArxivId(paper[1], version)
    assert ids.parse(form.format(expected)) == expected


@given(any_id, any_id)
def test_order_of_keys_is_order_of_time(
    one: tuple[tuple[int, int, int, str], str], other: tuple[tuple[int, int, int, str], str]
) -> None:
    keys = ids.order_key(one[1]), ids.order_key(other[1])
    assert (keys[0] < keys[1]) == (one[0] < other[0])
    assert (keys[0] == keys[1]) == (one[1] == other[1])


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = ids.parse(text)
    except InvalidArxivId:
        return
    assert ids.parse(str(found)) == found
