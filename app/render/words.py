"""The words of a digest in each language: headings, receipt, states, labels.

A language is a BCP 47 tag; the nearest words are found by its primary subtag (Chinese also by script and region).
Languages without words of their own get English ones: the texts of the papers are in the digest's language all the same.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Every word that a renderer adds to the texts of a document, in one language.

    ``colon`` is what stands between a label and its value. Numbers always follow their label (``Announced 105``),
    so that no language needs plural forms.
    """

    colon: str
    summaries: str
    details: str
    ref: str
    title: str
    summary: str
    announced: str
    stored: str
    summarized: str
    pending: str
    running: str
    failed: str
    done: str
    missing: str
    revision: str
    untranslated: str
    nothing_announced: str
    none_stored: str
    cut: str
    authors: str
    omitted: str
    categories: str
    original: str
    translation: str
    abstract: str
    new: str
    cross: str
    replace: str
    replace_cross: str
    llm: str
    extractive: str
    human: str
    imported: str
    prompt: str
    version: str
    tokens: str
    stale: str
    back: str


ENGLISH = Words(
    colon=": ",
    summaries="Summaries",
    details="Details",
    ref="Ref",
    title="Title",
    summary="Summary",
    announced="announced",
    stored="stored",
    summarized="summarised",
    pending="pending",
    running="in progress",
    failed="failed",
    done="summarised",
    missing="missing",
    revision="revision",
    untranslated="Summaries taken from the original abstract, without a translation",
    nothing_announced="Nothing was announced.",
    none_stored="None of the announced papers is stored yet.",
    cut="only the beginning of the abstract is known",
    authors="Authors",
    omitted="and more authors",
    categories="Categories",
    original="Original title",
    translation="Translated abstract",
    abstract="Abstract",
    new="new",
    cross="cross-list",
    replace="replacement",
    replace_cross="replacement of a cross-list",
    llm="Summarised by",
    extractive="Sentence taken from the abstract",
    human="Written by a human",
    imported="Imported from an older archive",
    prompt="prompt",
    version="paper version",
    tokens="tokens",
    stale="out of date: made from an earlier text of the paper",
    back="Back to the table",
)

CHINESE = Words(
    colon="：",
    summaries="摘要",
    details="详细",
    ref="序号",
    title="标题",
    summary="一句话摘要",
    announced="公布",
    stored="已收录",
    summarized="已摘要",
    pending="待处理",
    running="处理中",
    failed="失败",
    done="已摘要",
    missing="缺失",
    revision="修订版",
    untranslated="摘要句直接取自原文、没有译文的论文数",
    nothing_announced="没有公布新论文。",
    none_stored="已公布的论文均尚未收录。",
    cut="摘要仅存开头部分",
    authors="作者",
    omitted="其他作者人数",
    categories="分类",
    original="原标题",
    translation="摘要译文",
    abstract="原文摘要",
    new="新论文",
    cross="交叉分类",
    replace="更新版本",
    replace_cross="交叉分类的更新版本",
    llm="摘要模型",
    extractive="句子摘自原文摘要",
    human="人工撰写",
    imported="从旧档案导入",
    prompt="提示词",
    version="论文版本",
    tokens="词元",
    stale="已过时：依据的是论文的较早文本",
    back="返回表格",
)

TRADITIONAL = Words(
    colon="：",
    summaries="摘要",
    details="詳細",
    ref="序號",
    title="標題",
    summary="一句話摘要",
    announced="公布",
    stored="已收錄",
    summarized="已摘要",
    pending="待處理",
    running="處理中",
    failed="失敗",
    done="已摘要",
    missing="缺失",
    revision="修訂版",
    untranslated="摘要句直接取自原文、沒有譯文的論文數",
    nothing_announced="沒有公布新論文。",
    none_stored="已公布的論文均尚未收錄。",
    cut="摘要僅存開頭部分",
    authors="作者",
    omitted="其他作者人數",
    categories="分類",
    original="原標題",
    translation="摘要譯文",
    abstract="原文摘要",
    new="新論文",
    cross="交叉分類",
    replace="更新版本",
    replace_cross="交叉分類的更新版本",
    llm="摘要模型",
    extractive="句子摘自原文摘要",
    human="人工撰寫",
    imported="從舊檔案匯入",
    prompt="提示詞",
    version="論文版本",
    tokens="詞元",
    stale="已過時：依據的是論文的較早文本",
    back="返回表格",
)

JAPANESE = Words(
    colon="：",
    summaries="要約",
    details="詳細",
    ref="番号",
    title="タイトル",
    summary="一文要約",
    announced="公開",
    stored="収録済み",
    summarized="要約済み",
    pending="処理待ち",
    running="処理中",
    failed="失敗",
    done="要約済み",
    missing="未収録",
    revision="改訂版",
    untranslated="原文の要旨から抜き出しただけで翻訳のない要約",
    nothing_announced="新しい論文は公開されていません。",
    none_stored="公開された論文はまだ収録されていません。",
    cut="要旨は冒頭部分のみ",
    authors="著者",
    omitted="ほかの著者数",
    categories="分類",
    original="原題",
    translation="要旨の翻訳",
    abstract="要旨（原文）",
    new="新着",
    cross="相互掲載",
    replace="改訂",
    replace_cross="相互掲載の改訂",
    llm="要約モデル",
    extractive="要旨から抜き出した文",
    human="人が執筆",
    imported="旧アーカイブから取り込み",
    prompt="プロンプト",
    version="論文の版",
    tokens="トークン",
    stale="古い要約：論文の以前の本文に基づく",
    back="表に戻る",
)

KOREAN = Words(
    colon=": ",
    summaries="요약",
    details="상세",
    ref="번호",
    title="제목",
    summary="한 문장 요약",
    announced="공개",
    stored="저장됨",
    summarized="요약됨",
    pending="대기 중",
    running="처리 중",
    failed="실패",
    done="요약됨",
    missing="누락",
    revision="개정판",
    untranslated="원문 초록에서 가져온 번역 없는 요약",
    nothing_announced="공개된 새 논문이 없습니다.",
    none_stored="공개된 논문이 아직 저장되지 않았습니다.",
    cut="초록의 앞부분만 있음",
    authors="저자",
    omitted="그 밖의 저자 수",
    categories="분류",
    original="원제",
    translation="초록 번역",
    abstract="초록 원문",
    new="신규",
    cross="교차 등록",
    replace="수정본",
    replace_cross="교차 등록 수정본",
    llm="요약 모델",
    extractive="초록에서 가져온 문장",
    human="사람이 작성",
    imported="이전 보관소에서 가져옴",
    prompt="프롬프트",
    version="논문 버전",
    tokens="토큰",
    stale="오래된 요약: 논문의 이전 본문에서 작성됨",
    back="표로 돌아가기",
)

GERMAN = Words(
    colon=": ",
    summaries="Zusammenfassungen",
    details="Einzelheiten",
    ref="Nr.",
    title="Titel",
    summary="Zusammenfassung",
    announced="angekündigt",
    stored="gespeichert",
    summarized="zusammengefasst",
    pending="ausstehend",
    running="in Arbeit",
    failed="fehlgeschlagen",
    done="zusammengefasst",
    missing="fehlend",
    revision="Fassung",
    untranslated="Aus dem Originalabstract entnommene Zusammenfassungen ohne Übersetzung",
    nothing_announced="Es wurde nichts angekündigt.",
    none_stored="Von den angekündigten Arbeiten ist noch keine gespeichert.",
    cut="nur der Anfang des Abstracts ist bekannt",
    authors="Autoren",
    omitted="weitere Autoren",
    categories="Kategorien",
    original="Originaltitel",
    translation="Übersetzter Abstract",
    abstract="Abstract im Original",
    new="neu",
    cross="Querverweis",
    replace="neue Version",
    replace_cross="neue Version eines Querverweises",
    llm="Zusammengefasst von",
    extractive="Satz aus dem Abstract",
    human="Von einem Menschen geschrieben",
    imported="Aus einem älteren Archiv übernommen",
    prompt="Prompt",
    version="Version der Arbeit",
    tokens="Tokens",
    stale="veraltet: aus einem früheren Text der Arbeit entstanden",
    back="Zurück zur Tabelle",
)

FRENCH = Words(
    colon=" : ",
    summaries="Résumés",
    details="Détails",
    ref="N°",
    title="Titre",
    summary="Résumé",
    announced="annoncés",
    stored="enregistrés",
    summarized="résumés",
    pending="en attente",
    running="en cours",
    failed="en échec",
    done="résumé",
    missing="manquants",
    revision="révision",
    untranslated="Résumés tirés du texte original, sans traduction",
    nothing_announced="Rien n'a été annoncé.",
    none_stored="Aucun des articles annoncés n'est encore enregistré.",
    cut="seul le début du résumé original est connu",
    authors="Auteurs",
    omitted="autres auteurs",
    categories="Catégories",
    original="Titre original",
    translation="Résumé traduit",
    abstract="Résumé original",
    new="nouveau",
    cross="liste croisée",
    replace="nouvelle version",
    replace_cross="nouvelle version d'une liste croisée",
    llm="Résumé par",
    extractive="Phrase tirée du résumé original",
    human="Rédigé par une personne",
    imported="Importé d'une ancienne archive",
    prompt="consigne",
    version="version de l'article",
    tokens="jetons",
    stale="périmé : fait à partir d'un texte antérieur de l'article",
    back="Retour au tableau",
)

SPANISH = Words(
    colon=": ",
    summaries="Resúmenes",
    details="Detalles",
    ref="N.º",
    title="Título",
    summary="Resumen",
    announced="anunciados",
    stored="guardados",
    summarized="resumidos",
    pending="pendiente",
    running="en curso",
    failed="fallido",
    done="resumido",
    missing="ausentes",
    revision="revisión",
    untranslated="Resúmenes tomados del texto original, sin traducción",
    nothing_announced="No se anunció nada.",
    none_stored="Ninguno de los artículos anunciados está guardado todavía.",
    cut="solo se conoce el comienzo del resumen original",
    authors="Autores",
    omitted="otros autores",
    categories="Categorías",
    original="Título original",
    translation="Resumen traducido",
    abstract="Resumen original",
    new="nuevo",
    cross="lista cruzada",
    replace="nueva versión",
    replace_cross="nueva versión de una lista cruzada",
    llm="Resumido por",
    extractive="Frase tomada del resumen original",
    human="Escrito por una persona",
    imported="Importado de un archivo anterior",
    prompt="instrucción",
    version="versión del artículo",
    tokens="tokens",
    stale="desactualizado: hecho a partir de un texto anterior del artículo",
    back="Volver a la tabla",
)

LANGUAGES: dict[str, Words] = {
    "en": ENGLISH,
    "zh": CHINESE,
    "zh-hant": TRADITIONAL,
    "ja": JAPANESE,
    "ko": KOREAN,
    "de": GERMAN,
    "fr": FRENCH,
    "es": SPANISH,
}

# Written with traditional characters when no script subtag says otherwise (CLDR likely subtags).
TRADITIONAL_REGIONS = {"tw", "hk", "mo"}

RIGHT_TO_LEFT = {"ar", "he", "fa", "ur", "ps", "yi", "dv", "ug", "sd", "ckb"}


def words_for(language: str) -> Words:
    """Return the words nearest to a BCP 47 tag: ``zh-TW`` gives traditional Chinese, ``pt-BR`` falls back to English."""
    primary, *rest = language.lower().replace("_", "-").split("-")
    if primary == "zh" and "hans" not in rest and ("hant" in rest or TRADITIONAL_REGIONS.intersection(rest)):
        return TRADITIONAL
    return LANGUAGES.get(primary, ENGLISH)


def direction(language: str) -> str:
    """Return ``rtl`` for a language that is written from right to left, ``ltr`` for the others."""
    return "rtl" if language.lower().replace("_", "-").split("-")[0] in RIGHT_TO_LEFT else "ltr"
