"""What does not belong into an answer: labels, mark-up, talk to the user, instructions followed from the abstract."""

import re
from collections.abc import Iterator
from typing import Final

from app.llm.checks.finding import MATH, Answer, Finding

_LABEL_WORD: Final = (
    r"(?:the )?(?:translated |chinese |english |japanese |german )?(?:abstract|title|summary|translation|tl[;,]?\s?dr)"
    r"(?:_(?:en|zh))?"
    r"|(?:中文|英文)?(?:论文|論文)?(?:摘\s?要|提要|概要|标题|標題|题目|題目|翻译|翻譯|译文|譯文|总结|總結|一句话(?:总结|摘要|概括)|一句話總結)(?:翻译|翻譯)?"
    r"|要約|概要|タイトル|翻訳|초록|요약|제목|번역|аннотация|резюме|название|заголовок|перевод|анотація|назва|переклад"
    r"|zusammenfassung|titel|übersetzung|résumé|titre|traduction|resumen|título|traducción|resumo|tradução|titolo|riassunto|traduzione"
    r"|streszczenie|tytuł|tóm tắt|tiêu đề|özet|başlık|الملخص|ملخص|العنوان|چکیده|عنوان|תקציר|כותרת|περίληψη|τίτλος|सारांश|शीर्षक"
)
_LEADING_LABEL: Final = re.compile(rf"[\W_]{{0,20}}(?:{_LABEL_WORD})[*_\s]{{0,4}}[:：]", re.IGNORECASE)
_FEED_LABEL: Final = re.compile(
    r"announce(?:ment)?[ _]type\b|(?:公告|宣布|声明|发布|通告|公布|通知|宣告|公示)\s?(?:类型|类别)\s*[:：]"
    r"|arxiv\s*[:：]\s*(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?|\d{4}\.\d{4,5}v\d+\s*\[[a-z-]+(?:\.[A-Z]{2})?\]",
    re.IGNORECASE,
)

_FEED_HINT: Final = re.compile(r"[Aa][Rr][Xx][Ii][Vv]|[Tt][Yy][Pp][Ee]|类[型别]|v\d+\s*\[")


def check_labels(answer: Answer) -> Iterator[Finding]:
    """label: no label of the feed or of the prompt. What the paper itself begins with, or cites, is the author's."""
    source = _lower_source(answer)
    for name, text in answer.texts.items():
        leading = _LEADING_LABEL.match(text)
        if leading and not _LEADING_LABEL.match(answer.source(name)):
            yield Finding(
                "label", f'The {name} begins with the label "{leading[0].strip()}"; give the text alone.', True
            )
        # Searched only where there is a chance: a pattern with so many ways is slow in a long text.
        for match in _FEED_LABEL.finditer(text) if _FEED_HINT.search(text) else ():
            if match[0].lower().replace("：", ":") not in source:
                yield Finding("label", f'The {name} holds a label that is not of the paper: "{match[0]}".', True)
                break


_PROMPT: Final = re.compile(r"what is new,? in one|(?:in )?one english sentence for researchers|nothing omitted", re.I)


def check_echo(answer: Answer) -> Iterator[Finding]:
    """echo: small models give the prompt's own words back (SmolLM2 did so in every second answer)."""
    source = _lower_source(answer)
    for name, text in answer.texts.items():
        match = _PROMPT.search(text)
        if match and match[0].lower() not in source:
            yield Finding("echo", f"The {name} repeats the instructions; say what is new in this paper.", True)


_TAG: Final = re.compile(
    r"</?(?:p|br|hr|b|i|u|em|strong|sub|sup|div|span|a|code|pre|ul|ol|li|h[1-6]|table|tr|td|th|img|script|style|html|body|think|"
    r"thinking|reasoning|answer|output|response|translation|summary|title|abstract|tldr)(?:\s[^<>]{0,200})?/?>"
    r"|&(?:amp|lt|gt|quot|nbsp|apos|#x?[0-9a-f]{1,6});|<\|[^|<>]{1,40}\|>",
    re.IGNORECASE,
)
_MARKDOWN: Final = re.compile(r"```|\*\*\w[^*\n]{0,200}\*\*|(?:^|\n)#{1,6} ")
_JSON: Final = re.compile(
    r"\A\s*[{\[]\s*[\"'](?:title|abstract|tldr|tldr_en|translat\w*|summary|\w{1,20})[\"']\s*:", re.IGNORECASE
)
_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ufffe\uffff\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def check_markup(answer: Answer) -> Iterator[Finding]:
    """markup: plain text with TeX formulas; no tags, fences, JSON or control characters, unless the paper has them."""
    source = _lower_source(answer)
    for name, text in answer.texts.items():
        for pattern, what in (
            (_TAG, "HTML"),
            (_MARKDOWN, "Markdown"),
            (_JSON, "JSON"),
            (_CONTROL, "a control character"),
        ):
            if pattern is _TAG and "<" not in text and "&" not in text:
                continue
            outside = MATH.sub(" ", text) if pattern is _TAG or pattern is _MARKDOWN else text
            if any(match[0].lower() not in source for match in pattern.finditer(outside)):
                yield Finding("markup", f"The {name} holds {what} that is not in the paper; give plain text.", True)
                break


_OBEYED: Final = re.compile(
    # Not after a quotation mark: that is how a title quotes what a model says.
    r"[^\w\"“‘'「『《«]{0,20}(?:"
    r"(?:i(?:'m| am) sorry|sorry|i apologi[sz]e|unfortunately),? (?:but )?i\b|i(?:'m| am) (?:unable|not able) to\b"
    r"|i (?:cannot|can't|can not|won't|will not) (?:assist|help|translate|summari[sz]e|provide|fulfil|comply|process|answer)"
    r"|i (?:cannot|can't)\W*$|as an? (?:ai\b|(?:large )?language model\b|(?:helpful )?assistant\b)[\w ]{0,30},? i\b"
    r"|(?:sure|certainly|of course|okay|ok|absolutely|understood)\b\s*[,!.]|here(?:'s| is| are) (?:the|your) (?:\w+ )?"
    r"(?:translat|summar|abstract|title|tl;?dr|answer|response|json|requested)"
    r"|please (?:provide|paste|share|give me)|no abstract (?:was |is )?(?:provided|given|available)"
    r"|(?:the )?(?:translation|summary) of the (?:abstract|title|text|paper) (?:is|follows)"
    r"|作[为為](?:一[个個名款])?(?:ai(?![a-z])|人工智[能慧]|大型?)?(?:[语語]言)?(?:模型|助手|助理)?[，,\s]*我"
    r"|作[为為]一[个個名款](?:ai(?![a-z])|人工智[能慧])(?:[语語]言)?(?:模型|助手|助理)?[，,]"
    r"|(?:很|非常|十分)?(?:抱歉|对不起|對不起|不好意思)[，,！!。\s]|我(?:无法|不能|無法)(?:翻译|翻譯|提供|完成|协助|帮助|回答|处理|总结|满足)"
    r"|好的[，,！!。:：\s]|当然(?:可以)?[，,！!。:：]|當然(?:可以)?[，,！!。:：]|以下是[^。]{0,20}(?:翻译|翻譯|译文|摘要|总结|总結|回答|标题)|请提供|請提供"
    r"|申し訳(?:ありません|ございません)|以下(?:は|が)[^。]{0,20}(?:翻訳|要約)|죄송합니다|(?:к сожалению|извините),? я\b"
    r"|(?:leider|entschuldigung|es tut mir leid),? (?:aber )?(?:ich )?kann ich|es tut mir leid\b"
    r"|(?:je suis désolée?|lo siento|desculpe|mi dispiace)\b"
    r"|(?:you(?:'ve| have) been )?(?:hacked|pwned|owned|jailbroken)\b\W*$"
    r")",
    re.IGNORECASE,
)


def check_obeyed(answer: Answer) -> Iterator[Finding]:
    """obeyed: the text is no talk to the user and no answer to something that the abstract said to the model."""
    for name, text in answer.texts.items():
        if _OBEYED.match(text) and not _OBEYED.match(answer.source(name)):
            yield Finding(
                "obeyed",
                f"The {name} is talk to the user, or follows something that the abstract told it to; give the text alone.",
                True,
            )


_ORDERS: Final = (
    r"(?:instructions?|prompts?|directions?|directives?|commands?|rules|guidelines|orders|context|messages?)"
)
_BEFORE: Final = r"(?:previous|prior|above|preceding|earlier|foregoing|existing|initial|original|system)"
_START: Final = r"(?:^|[.!?:;] ?)(?:please |now |you must |you should ){0,3}"
# Each is searched only in a text that has one of its words: all of them are slow. In lower case, runs of blanks made one.
_ADDRESSES: Final = tuple(
    (tuple(words.split("|")), re.compile(pattern))
    for words, pattern in (
        (
            "ignor|disregard|forget|overrid|bypass",
            r"(?<![\"“‘'`«「『])\b(?:ignore|disregard|forget|override|bypass) "
            rf"(?:(?:all|any|every|of|the|your|these|those|my|other) ){{0,4}}{_BEFORE} (?:\w+ )?{_ORDERS}\b",
        ),
        (
            "as an |as a ",
            r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|llm|ai (?:language )?model|(?:ai )?assistant)"
            r"[\w ]{0,20}, ?you\b",
        ),
        (
            "you are",
            r"\byou are (?:now )?(?:an? |the )?(?:\w+ )?"
            r"(?:ai|assistant|(?:large )?language model|llm|chatbot|chatgpt|translator|summari[sz]er)\b",
        ),
        ("respond|reply|answer", _START + r"(?:only )?(?:respond|reply|answer)(?: only| solely| exclusively)? with\b"),
        (
            "you must",
            r"\byou must (?:only |always )?(?:respond|reply|answer|output|say|print|write|translate|summari[sz]e)\b",
        ),
        ("do not|don't", _START + r"(?:do not|don't) (?:translate|summari[sz]e|mention|highlight|follow)\b"),
        (
            "review",
            r"\b(?:give|write|provide|output|generate) (?:only )?an? (?:\w+ )?(?:positive|favou?rable) review\b",
        ),
        (
            "note |attention |instruction|message |hint ",
            r"\b(?:note|attention|instructions?|message|hint) (?:to|for) (?:all |any |the )?(?:ai|llm|language[- ]model)s?\b"
            r"[\w ]{0,20}:",
        ),
        (
            "er:|ers:|nt:|nts:|el:|els:",
            r"\b(?:ai|llm|language[- ]model) (?:reader|reviewer|translator|summari[sz]er|assistant|model)s?:",
        ),
        ("<|", r"<\|(?:im_start|im_end|system|user|assistant|endoftext)[^|]{0,20}\|>"),
        ("inst]|<<|###", r"\[/?inst\]|<</?sys>>|### ?(?:instruction|system|human|assistant)\b"),
        (
            "忽略|忽视|忽視|无视|無視|忘|理会",
            r"(?:忽略|忽视|忽視|无视|無視|忘记|忘掉|忘記|理会)[^。，,]{0,8}(?:之前|以上|上述|前面|此前|先前|上面|以前|所有)[^。，,]{0,8}"
            r"(?:指令|指示|提示|说明|說明|要求|命令|规则|規則)|(?:以前|これまで|上記)の(?:すべての)?(?:指示|命令)を無視",
        ),
        (
            "作为|作為|你现在|你現在|回复|回覆|回答|输出|輸出",
            r"作[为為](?:一[个個]|一名)?(?:ai|人工智能|大?[语語]言模型|助手)[^。]{0,12}你(?:必[须須]|[应應]|需|要|只)|你[现現]在是"
            r"|(?:[请請]|你必[须須])[只仅僅](?:回复|回覆|回答|输出|輸出)",
        ),
        ("무시", r"이전(?:의)? ?(?:모든 )?(?:지시|명령)\w{0,3} ?무시"),
        (
            "ignorier",
            r"\bignoriere?n?(?: sie)? (?:\w+ ){0,3}(?:vorherigen|bisherigen|obigen) (?:anweisungen|instruktionen)",
        ),
        (
            "ignor",
            r"\bignor[aeiéz]\w{0,4} (?:\w+ ){0,3}(?:instrucciones|instruções|istruzioni|instructions) "
            r"(?:anteriores|previas|precedenti|précédentes)",
        ),
        (
            "игнорир|забуд",
            r"(?:игнорируй(?:те)?|забудь(?:те)?) (?:\w+ ){0,3}(?:предыдущие|прежние) (?:инструкции|указания|команды)",
        ),
    )
)


def addresses_model(text: str) -> bool:
    """Whether a text talks to the model that reads it ("ignore previous instructions", "respond only with").

    The paper is summarised all the same, as what the model is told to do with it does not depend on what it says; the note
    tells a reader to look. A phrase that stands in quotation marks is talked about, not said.
    """
    text = " ".join(text.lower().split())
    return any(any(word in text for word in words) and pattern.search(text) for words, pattern in _ADDRESSES)


def check_addresses_model(answer: Answer) -> Iterator[Finding]:
    """addresses-model: a note that the paper's text talks to the model."""
    if addresses_model(f"{answer.paper.title or ''}. {answer.paper.abstract or ''}"):
        yield Finding("addresses-model", "The paper's text talks to the model that reads it.", False)


def _lower_source(answer: Answer) -> str:
    return f"{answer.paper.title or ''}\n{answer.paper.abstract or ''}".lower().replace("：", ":")
