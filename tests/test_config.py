"""Settings: every wrong one is a sentence that names it and shows an example; secrets stay hidden."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.config import check_language, load_settings, mask, sqlalchemy_url
from app.errors import ConfigurationError


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from the machine, no .env of the developer."""
    import os

    for name in list(os.environ):
        if name.startswith("ZHAIYAO_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults() -> None:
    settings = load_settings()
    assert (settings.database_url, settings.categories, settings.languages) == (None, ("cs.CL",), ("zh",))
    assert (settings.host, settings.port, settings.arxiv_interval) == ("127.0.0.1", 8000, timedelta(seconds=3))
    assert settings.data_dir.is_absolute()


def test_a_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ZHAIYAO_PORT=8001\nZHAIYAO_CATEGORIES=econ, CS.na cs.NA\nOTHER=1\n")
    monkeypatch.setenv("ZHAIYAO_PORT", "8002")
    settings = load_settings()
    assert (settings.port, settings.categories) == (8002, ("econ", "math.NA"))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "abc", "Example: ZHAIYAO_PORT=8000"),
        ("PORT", "70000", "65535"),
        ("CATEGORIES", "cs.CL,cs.XX", "cs.XX"),
        ("LANGUAGES", "", "at least one"),
        ("LANGUAGES", "chinese", "zh"),
        ("DATABASE_URL", "mysql://root:s3cret@db/x", "postgresql://"),
        ("ARXIV_FEED_URL", "ftp://mirror", "http"),
        ("ARXIV_INTERVAL", "often", "ZHAIYAO_ARXIV_INTERVAL=3"),
        ("ARXIV_INTERVAL", "1", "every 3 seconds"),
        ("ARXIV_INTERVAL", "-1", "ZHAIYAO_ARXIV_INTERVAL"),
        ("ARXIV_INTERVAL", "nan", "ZHAIYAO_ARXIV_INTERVAL"),
        ("WORKER_CONCURRENCY", "0", "1"),
        ("LOG_LEVEL", "loud", "info"),
        ("RATE_LIMIT", "600", "ZHAIYAO_RATE_LIMIT=600/minute"),
        ("RATE_LIMIT", "0/minute", "600/minute"),
        ("KEY_RATE_LIMIT", "many/day", "6000/minute"),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "10.0.0.0/8"),
        ("TRUSTED_PROXIES", "proxy.example.org", "10.0.0.0/8"),
        ("CORS_ORIGINS", "app.example.org", "https://app.example.org"),
        ("CORS_ORIGINS", "https://app.example.org/", "no path"),
        ("ALLOWED_HOSTS", "https://digests.example.org", "no scheme"),
        ("ALLOWED_HOSTS", "digests.*.org", "*"),
        ("REQUEST_TIMEOUT", "0", "ZHAIYAO_REQUEST_TIMEOUT=30"),
        ("REQUEST_TIMEOUT", "nan", "ZHAIYAO_REQUEST_TIMEOUT"),
        ("MAX_REQUESTS", "0", "1"),
        ("PUBLIC_READ", "perhaps", "ZHAIYAO_PUBLIC_READ=true"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"ZHAIYAO_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    message = caught.value.detail
    assert f"ZHAIYAO_{name}" in message
    assert says in message
    assert "\n" not in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("https://rss.arxiv.org/rss", "https://rss.arxiv.org/rss/cs.CL"),
        ("http://localhost:1/atom/", "http://localhost:1/atom/cs.CL"),
        ("http://localhost:1", "http://localhost:1/rss/cs.CL"),
        ("http://localhost:1/feeds/{category}.xml?a=b", "http://localhost:1/feeds/cs.CL.xml?a=b"),
    ],
)
def test_where_a_listing_is_read(base: str, address: str) -> None:
    assert load_settings(arxiv_feed_url=base).feed_url("cs.CL") == address


def test_passwords_are_masked() -> None:
    assert mask("postgresql://me:s3cret@db:5432/x?sslmode=require") == "postgresql://me:***@db:5432/x?sslmode=require"
    assert mask("postgresql://db/x") == "postgresql://db/x"
    assert "s3cret" not in repr(load_settings(database_url="postgresql://me:s3cret@db/x"))


def test_the_driver_s_own_names() -> None:
    assert sqlalchemy_url("postgres://db/x?sslmode=require") == "postgresql+asyncpg://db/x?ssl=require"


@pytest.mark.parametrize(
    ("tag", "usual"), [("ZH", "zh"), ("zh_hant", "zh-Hant"), ("pt-br", "pt-BR"), ("es-419", "es-419")]
)
def test_language_tags(tag: str, usual: str) -> None:
    assert check_language(tag) == usual


def test_limits_hosts_and_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RATE_LIMIT": "none",
        "KEY_RATE_LIMIT": " ",
        "TRUSTED_PROXIES": "10.1.2.3/8, ::1",
        "ALLOWED_HOSTS": "Digests.example.org, *.example.net,[::1]",
        "CORS_ORIGINS": "https://a.example http://localhost:3000",
        "HOST": "::1",
    }.items():
        monkeypatch.setenv(f"ZHAIYAO_{name}", value)
    settings = load_settings()
    assert (str(settings.rate_limit), settings.key_rate_limit) == ("none", None)
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert settings.allowed_hosts == ("digests.example.org", "*.example.net", "::1")
    assert settings.cors_origins == ("https://a.example", "http://localhost:3000")
    assert settings.listens_locally
