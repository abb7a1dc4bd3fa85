"""The digest as JSON."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from app.render.json import to_dict
from tests.render.documents import ALL_FIELDS, COUNTING, EMPTY, document, item
from tests.render.golden_files import check_golden
from tests.render.rendering import render


def test_golden() -> None:
    check_golden("all-fields-zh.json", render(ALL_FIELDS, "json"))
    check_golden("empty-zh.json", render(EMPTY, "json"))


def test_the_names_are_those_of_the_design() -> None:
    digest = json.loads(render(ALL_FIELDS, "json"))
    assert digest == to_dict(ALL_FIELDS)
    assert " ".join(digest) == "id channel title period language revision created_at first_created_at receipt items"
    assert " ".join(digest["receipt"]) == (
        "announced stored summarized pending failed untranslated missing incomplete not_matching shown_before held_over "
        "carried_over"
    )
    assert " ".join(digest["items"][0]) == (
        "position arxiv_id version title display_title translated_title tldr tldr_en translated_abstract abstract "
        "display_abstract abstract_is_cut authors authors_omitted primary_category categories announce_type "
        "announced_on submitted_at updated_at comments journal_ref doi license withdrawn links reasons summary_status "
        "summary_error summary added_at changed_at"
    )
    assert digest["period"] == {"from": "2031-03-04", "to": "2031-03-04"}
    assert digest["items"][0]["links"] == {"abs": COUNTING.links.abs, "pdf": COUNTING.links.pdf}
    assert digest["items"][0]["authors"][1] == {
        "name": 'Bj\\"orn Wool',
        "display_name": "Björn Wool",
        "affiliations": [],
    }
    assert digest["items"][3]["summary"] is None


def test_texts_are_whole_and_as_stored() -> None:
    odd = item(title=' a\n "b" \\ \u2028 <c> & é 数 \x00', abstract="x  y")
    digest = json.loads(render(document(odd), "json"))
    assert digest["items"][0]["title"] == odd.title
    assert digest["items"][0]["abstract"] == "x  y"
    assert "数" in render(document(odd), "json")


def test_display_forms_stand_beside_the_raw_texts() -> None:
    tex = item(title="L\\'evy {\\it flights}", abstract="about 50\\% of~$x \\& y$")
    paper = to_dict(document(tex, item(title=None)))["items"]
    assert (paper[0]["title"], paper[0]["abstract"]) == (tex.title, tex.abstract)
    assert (paper[0]["display_title"], paper[0]["display_abstract"]) == ("Lévy flights", "about 50% of $x \\& y$")
    assert (paper[1]["display_title"], paper[1]["display_abstract"]) == (None, None)


def test_an_ad_hoc_digest_has_no_channel_and_no_period() -> None:
    digest = to_dict(document(channel=None, period=None))
    assert digest["channel"] is None
    assert digest["period"] is None


def test_instants_are_utc() -> None:
    tokyo = datetime(2031, 3, 4, 8, 30, 0, 120000, tzinfo=timezone(timedelta(hours=9)))
    assert to_dict(replace(EMPTY, created_at=tokyo))["created_at"] == "2031-03-03T23:30:00.120000Z"


def test_lone_surrogates_are_replaced_and_the_line_ends() -> None:
    text = render(document(item(title="a\ud800b")), "json")
    assert json.loads(text.encode())["items"][0]["title"] == "a\ufffdb"
    assert text.count("\n") == 1
    assert text.endswith("}\n")
