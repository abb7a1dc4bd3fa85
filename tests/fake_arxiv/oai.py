"""oaipmh.arxiv.org: the records of all papers by the day of their last modification (FACTS section 3).

The documents are those of arXiv's own server, to the byte; ``test_documents.py`` compares them.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode

from tests.fake_arxiv.names import ARCHIVES, CATEGORIES, GROUPS, oai_set, sets_of
from tests.fake_arxiv.replies import Reply
from tests.fake_arxiv.texts import Person, to_unicode
from tests.fake_arxiv.world import DAY, Paper, World

EARLIEST = date(2005, 9, 16)
FORMATS = {
    "oai_dc": ("https://www.openarchives.org/OAI/2.0/oai_dc.xsd", "http://www.openarchives.org/OAI/2.0/oai_dc/"),
    "arXiv": ("https://oaipmh.arxiv.org/OAI/arXiv.xsd", "http://arxiv.org/OAI/arXiv/"),
    "arXivOld": ("https://oaipmh.arxiv.org/OAI/arXivOld.xsd", "http://arxiv.org/OAI/arXivOld/"),
    "arXivRaw": ("https://oaipmh.arxiv.org/OAI/arXivRaw.xsd", "http://arxiv.org/OAI/arXivRaw/"),
}
SETS = {
    **GROUPS,
    **{
        f"{archive.group}:{archive.id}": archive.name
        for archive in ARCHIVES.values()
        if archive.active
    },
    **{oai_set(category.id): category.name for category in CATEGORIES.values() if category.active},
}  # fmt: skip

_ID = re.compile(r"oai:arXiv\.org:((?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7}))(?:v\d+)?")
_REASONS = {
    "badArgument": "The request includes illegal arguments, is missing required arguments, includes a repeated argument, or "
    "values for arguments have an illegal syntax.",
    "badResumptionToken": "The value of the resumptionToken argument is invalid or expired.",
    "badVerb": "Value of the verb argument is not a legal OAI-PMH verb, the verb argument is missing, or the verb argument is "
    "repeated.",
    "cannotDisseminateFormat": "The metadata format identified by the value given for the metadataPrefix argument is not "
    "supported by the item or by the repository.",
    "idDoesNotExist": "The value of the identifier argument is unknown or illegal in this repository.",
    "noRecordsMatch": "The combination of the values of the from, until, set and metadataPrefix arguments results in an empty "
    "list.",
}


class OaiError(Exception):
    """An error of the protocol; ``asked`` is what the answer repeats of the request."""

    def __init__(self, code: str, reason: str = "", asked: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason
        self.asked = dict(asked or {})


class Oai:
    """The server: it keeps nothing but the day on which it handed out a token."""

    def __init__(self, page_size: int = 40, identifiers_page_size: int = 100) -> None:
        self.page_size = page_size
        self.identifiers_page_size = identifiers_page_size
        self._issued: dict[str, date] = {}

    def answer(self, world: World, query: str, now: datetime, faults: Sequence[str] = ()) -> Reply:
        """The answer to a request; ``faults`` are the kinds of those that its content meets."""
        try:
            body = self._body(world, _read_query(query), now, faults)
        except OaiError as error:
            body = _envelope(now, _request_element(error.asked), _error(error))
        return Reply(body.encode(), 200, {"Content-Type": "text/xml; charset=utf-8"}, negotiable=True)

    def _body(self, world: World, asked: dict[str, str], now: datetime, faults: Sequence[str]) -> str:
        match asked.get("verb"):
            case "GetRecord":
                return _get_record(world, asked, now)
            case "ListRecords" | "ListIdentifiers":
                return self._list(world, asked, now, faults)
            case "Identify":
                _allow(asked, {"verb"}, "No other parameters allowed for Identify")
                return _envelope(now, _request_element(asked), _IDENTIFY)
            case "ListMetadataFormats":
                _allow(asked, {"verb", "identifier"}, "Only identifier parameter allowed")
                if "identifier" in asked:
                    _read_id(asked["identifier"])
                return _envelope(now, _request_element(asked), _list_formats())
            case "ListSets":
                _allow(asked, {"verb"}, "No other parameters allowed")
                return _envelope(now, _request_element(asked, indent=12), _list_sets())
        raise OaiError("badVerb", "Invalid verb provided")

    def _list(self, world: World, asked: dict[str, str], now: datetime, faults: Sequence[str]) -> str:
        verb, token = asked["verb"], asked.get("resumptionToken")
        skip = 0
        echo: dict[str, str] = {}
        if token is not None:
            _allow(asked, {"verb", "resumptionToken"}, "No other paramters allowed with resumptionToken")
            echo = {"verb": verb, "resumptionToken": token}
            if "expired-token" in faults:
                raise OaiError("badResumptionToken")
            asked, skip = self._read_token(token, now)
            if asked.get("verb") != verb:
                raise OaiError("badResumptionToken", "token from different verb")
        wanted = _Wanted(asked, now)
        page_size = self.page_size if verb == "ListRecords" else self.identifiers_page_size
        found = [] if "no-records" in faults else wanted.find(world, now)[skip : skip + page_size + 1]
        if not found:
            raise OaiError("noRecordsMatch", asked=echo or wanted.asked)
        page = sorted(found[:page_size], key=lambda paper: (paper.datestamp, paper.arxiv_id))
        next_token = ""
        if len(found) > page_size:
            # As arXiv's server does: from the day of the next record, past those of that day that were shown. The
            # request element of such an answer shows that day, too.
            day = found[page_size].datestamp
            if page[0].datestamp == day:
                skip += page_size
            else:
                skip = sum(paper.datestamp == day for paper in page)
                wanted.asked["from"] = day.isoformat()
            next_token = self._make_token(wanted.asked, skip, now)
            if "bad-token" in faults:
                next_token = f"6825723|{page_size + 1}"
        if verb == "ListRecords":
            parts = [_record(paper, wanted.prefix) for paper in page]
        else:
            parts = [f"                {_header(paper)}\n" for paper in page]
        # A list that is whole on its first page has no token; the last of several pages has an empty one.
        end = _token_element(next_token, now) if next_token or token is not None else ""
        body = f"    <{verb}>\n{''.join(parts)}{end}    </{verb}>"
        return _envelope(now, _request_element(echo or _in_order(wanted.asked)), body)

    def _make_token(self, asked: Mapping[str, str], skip: int, now: datetime) -> str:
        token = quote(urlencode({**_in_order(asked), "skip": str(skip)}))
        self._issued[unquote(unquote(token))] = now.astimezone(UTC).date()
        return token

    def _read_token(self, token: str, now: datetime) -> tuple[dict[str, str], int]:
        """The query in a token. It holds until the midnight UTC after it was handed out."""
        read = {name: values[0] for name, values in parse_qs(unquote(token)).items()}
        if not read.get("skip", "").isdigit():
            raise OaiError("badResumptionToken", "Token decoding failed or format is invalid.")
        if self._issued.get(unquote(unquote(token)), now.date()) != now.astimezone(UTC).date():
            raise OaiError("badResumptionToken")
        return {name: value for name, value in read.items() if name != "skip"}, int(read["skip"])


class _Wanted:
    """What a list request selects. Raises OaiError."""

    def __init__(self, asked: Mapping[str, str], now: datetime) -> None:
        self.asked = {"verb": asked["verb"]}
        if "metadataPrefix" not in asked:
            raise OaiError("badArgument", "metadataPrefix required.")
        allowed = ("verb", "metadataPrefix", "from", "until", "set")
        _allow(asked, set(allowed), f"Unallowed parameter. Allowed parameters: {', '.join(allowed)}")
        self.prefix = _read_prefix(asked, self.asked)
        self.since = self._day(asked, "from") or EARLIEST
        today = now.astimezone(UTC).date()
        self.until = self._day(asked, "until") or today
        self.set = asked.get("set", "")
        if self.set:
            if self.set not in SETS:
                deep = self.set.count(":") > 2
                raise OaiError("badArgument", "Set has too many levels" if deep else "Set does not exist")
            self.asked["set"] = self.set
        if self.since > self.until:
            raise OaiError("badArgument", "until date must be greater than or equal to from date")
        if self.since < EARLIEST:
            raise OaiError("badArgument", "start date too early")
        if self.until > today:
            raise OaiError("badArgument", "until date too late")

    def _day(self, asked: Mapping[str, str], name: str) -> date | None:
        text = asked.get(name)
        if not text:
            return None
        try:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                raise ValueError(text)
            day = date.fromisoformat(text)
        except ValueError:
            raise OaiError("badArgument", f"{name} date format must be YYYY-MM-DD") from None
        self.asked[name] = text
        return day

    def find(self, world: World, now: datetime) -> list[Paper]:
        """The papers, in the order of the database."""
        found = [
            paper
            for paper in world.papers_at(now)
            if self.since <= paper.datestamp <= self.until
            and (not self.set or any(f"{one}:".startswith(f"{self.set}:") for one in sets_of(paper.categories)))
        ]
        return sorted(found, key=lambda paper: (paper.modified_at, paper.arxiv_id))


def scope_of(query: str) -> set[str]:
    """The set that a request is about, and the category of that set."""
    asked = dict(parse_qsl(query))
    if "resumptionToken" in asked:
        asked = dict(parse_qsl(unquote(asked["resumptionToken"])))
    name = asked.get("set", "")
    return {name, *(category for category in CATEGORIES if oai_set(category) == name)} - {""}


def _read_query(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    if len({name for name, _ in pairs}) != len(pairs):
        raise OaiError("badArgument", "Duplicate parameters not allowed")
    return dict(pairs)


def _allow(asked: Mapping[str, str], names: set[str], otherwise: str) -> None:
    if set(asked) - names:
        raise OaiError("badArgument", otherwise)


def _read_prefix(asked: Mapping[str, str], echo: dict[str, str]) -> str:
    prefix = asked["metadataPrefix"]
    if prefix not in FORMATS:
        raise OaiError("cannotDisseminateFormat", "Did not recognize requested format", echo)
    echo["metadataPrefix"] = prefix
    return prefix


def _read_id(identifier: str) -> str:
    match = _ID.fullmatch(identifier)
    if match is None:
        raise OaiError("idDoesNotExist", "Invalid arXiv_id structure")
    return match[1]


def _get_record(world: World, asked: Mapping[str, str], now: datetime) -> str:
    if set(asked) != {"verb", "identifier", "metadataPrefix"}:
        expected = "Expected: verb, identifier, metadataPrefix"
        raise OaiError("badArgument", f"Parameters provided did not match expected. {expected}")
    echo = {"verb": asked["verb"], "identifier": asked["identifier"]}
    arxiv_id = _read_id(asked["identifier"])
    prefix = _read_prefix(asked, echo)
    paper = world.paper_at(arxiv_id, now)
    if paper is None:
        raise OaiError("idDoesNotExist", "Nothing found for this ID", echo)
    return get_record_document(paper, prefix, echo, now)


# Documents


def get_record_document(paper: Paper, prefix: str, asked: Mapping[str, str], now: datetime) -> str:
    """An answer with one record."""
    record = _record(paper, prefix).replace(" " * 20, " " * 16, 1)
    return _envelope(now, _request_element(asked), f"    <GetRecord>\n{record}    </GetRecord>")


def _envelope(now: datetime, request: str, body: str) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"\x20
         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">
    <responseDate>{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</responseDate>
{request}


{body}
</OAI-PMH>"""


def _in_order(asked: Mapping[str, str]) -> dict[str, str]:
    return {name: asked[name] for name in ("verb", "metadataPrefix", "from", "until", "set") if name in asked}


def _request_element(asked: Mapping[str, str], indent: int = 16) -> str:
    # The server writes the attributes of a resumed list in other quotes than those of any other request.
    mark = "'" if "resumptionToken" in asked else '"'
    attributes = "".join(f" {name}={mark}{_escape(value)}{mark}" for name, value in asked.items())
    return f"{' ' * indent}<request{attributes}>http://oaipmh.arxiv.org/oai</request>"


def _token_element(token: str, now: datetime) -> str:
    if not token:
        return "                    <resumptionToken/>\n\n"
    expires = now.astimezone(UTC).date() + DAY
    return f"                    <resumptionToken expirationDate='{expires}T00:00:00Z'>{token}</resumptionToken>\n\n"


def _error(error: OaiError) -> str:
    reason = f" Reason: {error.reason}" if error.reason else ""
    return f"    <error code='{error.code}'>{_REASONS[error.code]}{_escape(reason)}</error>"


def _list_formats() -> str:
    formats = "".join(
        f"""                <metadataFormat>
    <metadataPrefix>{prefix}</metadataPrefix>
    <schema>{schema}</schema>
    <metadataNamespace>{namespace}</metadataNamespace>
</metadataFormat>

"""
        for prefix, (schema, namespace) in FORMATS.items()
    )
    return f"    <ListMetadataFormats>\n{formats}    </ListMetadataFormats>"


def _list_sets() -> str:
    archives = [f"{archive.group}:{archive.id}" for archive in ARCHIVES.values() if archive.active]
    categories = [oai_set(category.id) for category in CATEGORIES.values() if category.active]
    sets = "".join(
        f"""                <set>
        <setSpec>{spec}</setSpec>
        <setName>{_escape(SETS[spec])}</setName>
    </set>

"""
        for spec in (*GROUPS, *archives, *categories)
    )
    return f"    <ListSets>\n{sets}    </ListSets>"


def _header(paper: Paper) -> str:
    sets = "".join(f"            <setSpec>{spec}</setSpec>\n" for spec in sets_of(paper.categories))
    return f"""<header>
        <identifier>oai:arXiv.org:{paper.arxiv_id}</identifier>
        <datestamp>{paper.datestamp}</datestamp>
{sets}    </header>
"""


def _record(paper: Paper, prefix: str) -> str:
    make = {"oai_dc": _dublin_core, "arXiv": _arxiv, "arXivOld": _arxiv_old, "arXivRaw": _arxiv_raw}[prefix]
    return f"""                    <record>
                {_header(paper)}
            <metadata>
                        {make(paper)}
            </metadata>
        </record>

"""


def _arxiv_raw(paper: Paper) -> str:
    versions = "".join(
        f"""            <version version="v{version.number}">
                <date>{version.submitted_at.astimezone(UTC):%a, %d %b %Y %H:%M:%S GMT}</date>
                <size>{version.size_kb}kb</size>
{_line(20, "source_type", version.source_type)}            </version>
"""
        for version in paper.versions
    )
    # The server prints the MSC class for the ACM class, or None (FACTS 3.2).
    acm_class = str(paper.msc_class) if paper.acm_class else None
    return f"""<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://arxiv.org/OAI/arXivRaw/ https://oaipmh.arxiv.org/OAI/arXivRaw.xsd">
        <id>{paper.arxiv_id}</id>
        <submitter>{_escape(paper.submitter)}</submitter>
{versions}        <title>{_escape(paper.title)}</title>
        <authors>{_escape(paper.authors_line)}</authors>
        <categories>{" ".join(paper.categories)}</categories>
{_line(12, "comments", paper.comments)}{_line(12, "report-no", paper.report_no)}{_line(12, "acm-class", acm_class)}\
{_line(12, "msc-class", paper.msc_class)}{_line(12, "journal-ref", paper.journal_ref)}{_line(12, "doi", paper.doi)}\
{_line(12, "license", paper.license)}{_line(12, "abstract", paper.abstract)}    </arXivRaw>
"""


def _arxiv_old(paper: Paper) -> str:
    return f"""<arXivOld xmlns="http://arxiv.org/OAI/arXivOld/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://arxiv.org/OAI/arXivOld/ https://oaipmh.arxiv.org/OAI/arXivOld.xsd">
        <id>{paper.arxiv_id}</id>
        <title>{_escape(paper.title)}</title>
        <authors>{_escape(paper.authors_line)}</authors>
        <categories>{" ".join(paper.categories)}</categories>
{_line(12, "comments", paper.comments)}{_line(12, "report-no", paper.report_no)}\
{_line(12, "msc-class", paper.msc_class)}{_line(12, "acm-class", paper.acm_class)}\
{_line(12, "journal-ref", paper.journal_ref)}{_line(12, "doi", paper.doi)}{_line(12, "abstract", paper.abstract)}\
{_line(12, "license", paper.license)}    </arXivOld>
"""


def _arxiv(paper: Paper) -> str:
    authors = "".join(
        f"""                <author>
                    <keyname>{_convert(person.keyname)}</keyname>
{_line(24, "forenames", person.forenames, convert=True)}{_line(24, "suffix", person.suffix)}                </author>
"""
        for person in paper.authors
    )
    acm_class = str(paper.msc_class) if paper.acm_class else None
    return f"""<arXiv xmlns="http://arxiv.org/OAI/arXiv/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://arxiv.org/OAI/arXiv/ https://oaipmh.arxiv.org/OAI/arXiv.xsd">
        <id>{paper.arxiv_id}</id>
        <created>{paper.versions[-1].submitted_at.astimezone(UTC).date()}</created>
            <updated>{paper.datestamp}</updated>
        <authors>
{authors}        </authors>
        <title>{_convert(paper.title)}</title>
            <categories>{" ".join(paper.categories)}</categories>
{_line(12, "comments", paper.comments, convert=True)}{_line(12, "report-no", paper.report_no, convert=True)}\
{_line(12, "msc-class", paper.msc_class)}{_line(12, "acm-class", acm_class)}\
{_line(12, "journal-ref", paper.journal_ref, convert=True)}{_line(12, "doi", paper.doi)}\
{_line(12, "license", paper.license)}{_line(12, "abstract", paper.abstract, convert=True)}    </arXiv>
"""


def _dublin_core(paper: Paper) -> str:
    first, last = (paper.versions[place].submitted_at.astimezone(UTC) for place in (0, -1))
    names = dict.fromkeys(CATEGORIES[name].name for name in paper.categories)
    doi = f"doi:{paper.doi}" if paper.doi else None
    return f"""<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" \
xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/oai_dc/ https://www.openarchives.org/OAI/2.0/oai_dc.xsd">
        <dc:title>{_convert(paper.title)}</dc:title>
{"".join(_line(12, "dc:creator", _creator(person)) for person in paper.authors)}\
{"".join(_line(12, "dc:subject", name) for name in names)}{_line(12, "dc:subject", paper.msc_class)}\
{_line(12, "dc:subject", paper.acm_class)}{_line(12, "dc:description", f"{paper.abstract} ", convert=True)}\
{_line(12, "dc:description", paper.comments, convert=True)}        <dc:date>{first.date()}</dc:date>
{_line(12, "dc:date", str(last.date()) if last != first else None)}        <dc:type>text</dc:type>
        <dc:identifier>https://arxiv.org/abs/{paper.arxiv_id}</dc:identifier>
        <dc:identifier>http://arxiv.org/abs/{paper.arxiv_id}</dc:identifier>
{_line(12, "dc:identifier", paper.journal_ref, convert=True)}{_line(12, "dc:identifier", doi)}    </oai_dc:dc>
"""


def _creator(person: Person) -> str:
    last = f"{person.keyname} {person.suffix}" if person.suffix else person.keyname
    return to_unicode(f"{last}, {person.forenames}" if person.forenames else last, greek=True)


def _line(indent: int, name: str, text: str | None, *, convert: bool = False) -> str:
    if not text:
        return ""
    return f"{' ' * indent}<{name}>{_convert(text) if convert else _escape(text)}</{name}>\n"


def _convert(text: str) -> str:
    return _escape(to_unicode(text, greek=True))


def _escape(text: str) -> str:
    """As Jinja does it."""
    for mark, entity in (("&", "&amp;"), (">", "&gt;"), ("<", "&lt;"), ("'", "&#39;"), ('"', "&#34;")):
        text = text.replace(mark, entity)
    return text


_IDENTIFY = """    <Identify>
        <repositoryName>arXiv</repositoryName>
        <baseURL>https://oaipmh.arxiv.org/oai</baseURL>
        <protocolVersion>2.0</protocolVersion>
        <adminEmail>help@arxiv.org</adminEmail>
        <earliestDatestamp>2005-09-16</earliestDatestamp>
        <deletedRecord>persistent</deletedRecord>
        <granularity>YYYY-MM-DD</granularity>
            <description>
        <eprints xmlns="http://www.openarchives.org/OAI/1.1/eprints" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.openarchives.org/OAI/1.1/eprints http://www.openarchives.org/OAI/1.1/eprints.xsd">
            <content>
                <text>Author self-archived e-prints</text>
            </content>
            <metadataPolicy>
                <text>Metadata harvesting permitted through OAI interface</text>
                <URL>https://info.arxiv.org/help/oa/metadataPolicy.html</URL>
            </metadataPolicy>
            <dataPolicy>
                <text>Full-content harvesting not permitted (except by special arrangement)</text>
                <URL>https://info.arxiv.org/help/oa/dataPolicy.html</URL>
            </dataPolicy>
            <submissionPolicy>
                <text>Author self-submission preferred, submissions screened for appropriateness.</text>
                <URL>https://info.arxiv.org/help/submit/index.html</URL>
            </submissionPolicy>
        </eprints>
    </description>

    </Identify>"""
