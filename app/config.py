"""Settings: the only reader of the environment (DESIGN section 11).

Every setting is checked when the process starts; a wrong one is a ``ConfigurationError`` of one sentence that names
the variable, what is wrong with its value, and an example.
"""

import ipaddress
import re
from datetime import time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import platformdirs
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app import addresses
from app.addresses import Network
from app.arxiv import taxonomy
from app.errors import ConfigurationError, ZhaiyaoError
from app.rates import Rate, parse_rate

ARXIV_FEED_URL = "https://rss.arxiv.org/rss"
ARXIV_OAI_URL = "https://oaipmh.arxiv.org/oai"
ARXIV_API_URL = "https://export.arxiv.org/api/query"
POLITE_INTERVAL = timedelta(seconds=3)
"""arXiv's terms of use: no more than one request every three seconds (FACTS 8.2)."""

_EXAMPLES = {
    "database_url": "postgresql://zhaiyao:secret@localhost:5432/zhaiyao",
    "data_dir": "/var/lib/zhaiyao",
    "categories": "cs.CL,stat.ML,econ",
    "languages": "zh,en",
    "contact": "mailto:you@example.org",
    "arxiv_feed_url": ARXIV_FEED_URL,
    "arxiv_oai_url": ARXIV_OAI_URL,
    "arxiv_api_url": ARXIV_API_URL,
    "arxiv_interval": "3",
    "host": "127.0.0.1",
    "port": "8000",
    "public_url": "https://digests.example.org",
    "digest_deadline": "06:00",
    "worker_concurrency": "4",
    "log_level": "info",
    "llm_model": "deepseek-chat",
    "llm_base_url": "https://api.deepseek.com/v1",
    "llm_api_key": "sk-…",
    "llm_concurrency": "8",
    "llm_rpm": "500",
    "llm_tpm": "200000",
    "llm_timeout": "120",
    "llm_budget_day": "2.50",
    "llm_budget_month": "50",
    "llm_price": "0.27,1.10",
    "llm_fields": "motivation,method,result,conclusion",
    "llm_glossary": "/etc/zhaiyao/glossary.toml",
    "llm_retry_delay": "4",
    "llm_probe_interval": "300",
    "resummarize": "true",
    "embeddings": "auto",
    "public_read": "true",
    "rate_limit": "600/minute",
    "key_rate_limit": "6000/minute",
    "trusted_proxies": "127.0.0.1,10.0.0.0/8",
    "cors_origins": "https://app.example.org",
    "allowed_hosts": "digests.example.org,*.example.org",
    "request_timeout": "30",
    "max_requests": "200",
}

_OLDER_NAMES = {"llm_model": "OPENAI_API_MODEL", "llm_base_url": "OPENAI_API_BASE", "llm_api_key": "OPENAI_API_KEY"}
"""What the older system called them; read where the new names are not set."""


def _or_older(name: str) -> AliasChoices:
    return AliasChoices(f"ZHAIYAO_{name.upper()}", _OLDER_NAMES[name])


class Settings(BaseSettings):
    """All settings; see ``.env.example`` for the same list with comments."""

    model_config = SettingsConfigDict(
        env_prefix="ZHAIYAO_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    database_url: SecretStr | None = None
    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("zhaiyao", appauthor=False)))
    categories: Annotated[tuple[str, ...], NoDecode] = ("cs.CL",)
    languages: Annotated[tuple[str, ...], NoDecode] = ("zh",)
    contact: str | None = None
    arxiv_feed_url: str = ARXIV_FEED_URL
    arxiv_oai_url: str = ARXIV_OAI_URL
    arxiv_api_url: str = ARXIV_API_URL
    arxiv_interval: timedelta = POLITE_INTERVAL
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str | None = None
    digest_deadline: time = time(6)
    worker_concurrency: int = Field(default=4, ge=1, le=64)
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    llm_model: Annotated[tuple[str, ...], NoDecode] = Field(default=(), validation_alias=_or_older("llm_model"))
    llm_base_url: str | None = Field(default=None, validation_alias=_or_older("llm_base_url"))
    llm_api_key: SecretStr | None = Field(default=None, validation_alias=_or_older("llm_api_key"))
    llm_concurrency: int = Field(default=8, ge=1, le=1000)
    llm_rpm: int | None = Field(default=None, ge=1)
    llm_tpm: int | None = Field(default=None, ge=1000)
    llm_timeout: timedelta = timedelta(seconds=120)
    llm_budget_day: Decimal | None = Field(default=None, ge=0)
    llm_budget_month: Decimal | None = Field(default=None, ge=0)
    llm_price: Annotated[tuple[Decimal, Decimal] | None, NoDecode] = None
    llm_fields: Annotated[tuple[Literal["motivation", "method", "result", "conclusion"], ...], NoDecode] = ()
    llm_glossary: Path | None = None
    llm_retry_delay: timedelta = timedelta(seconds=4)
    llm_probe_interval: timedelta = timedelta(minutes=5)
    resummarize: bool = True
    embeddings: Literal["auto", "off"] = "auto"
    public_read: bool = True
    rate_limit: Annotated[Rate | None, NoDecode] = None
    key_rate_limit: Annotated[Rate | None, NoDecode] = None
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    request_timeout: timedelta = timedelta(seconds=30)
    max_requests: int = Field(default=200, ge=1, le=100_000)

    @field_validator(
        "categories", "languages", "llm_model", "llm_fields", "cors_origins", "allowed_hosts", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part for part in re.split(r"[\s,]+", value) if part) if isinstance(value, str) else value

    @field_validator("categories")
    @classmethod
    def _known_categories(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(taxonomy.canonical(name) for name in value))

    @field_validator("languages")
    @classmethod
    def _language_tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one language is needed")
        return tuple(dict.fromkeys(check_language(tag) for tag in value))

    @field_validator(
        "public_url",
        "llm_base_url",
        "llm_api_key",
        "llm_rpm",
        "llm_tpm",
        "llm_budget_day",
        "llm_budget_month",
        "llm_glossary",
        mode="before",
    )
    @classmethod
    def _blank_is_unset(cls, value: Any) -> Any:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("llm_price", mode="before")
    @classmethod
    def _two_prices(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [part for part in re.split(r"[\s,]+", value) if part]
        if not value:
            return None
        try:
            prices = [Decimal(price) for price in value]
        except InvalidOperation:
            prices = []
        if len(prices) != 2 or not all(price >= 0 for price in prices):
            raise ValueError("two prices are needed, of a million input and output tokens in US dollars")
        return value

    @field_validator("rate_limit", "key_rate_limit", mode="before")
    @classmethod
    def _rates(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return parse_rate(value) if value.strip() else None

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(ipaddress.ip_network(part, strict=False) for part in re.split(r"[\s,]+", value) if part)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not re.fullmatch(r"https?://[^/?#@*\s]+", origin):
                raise ValueError(f"{origin[:80]!r} is no origin: scheme and host, no path, or * for every site")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not re.fullmatch(r"(\*\.)?[\w.-]+|\[?[0-9A-Fa-f:.]+\]?", host):
                raise ValueError(f"{host[:80]!r} is no host name: no scheme, no port, a * only as the first part")
        return tuple(host.lower().strip("[]").rstrip(".") for host in value)

    @field_validator("request_timeout")
    @classmethod
    def _some_time(cls, value: timedelta) -> timedelta:
        if value < timedelta(milliseconds=100):
            raise ValueError("a request needs some time: at least 0.1 seconds")
        return value

    @field_validator(
        "arxiv_interval", "llm_timeout", "llm_retry_delay", "llm_probe_interval", "request_timeout", mode="before"
    )
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not 0 <= float(value) <= 3600:
            raise ValueError("a number of seconds up to 3600 is needed")
        return timedelta(seconds=float(value))

    @field_validator("database_url")
    @classmethod
    def _postgres_only(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value().strip():
            return None
        address = value.get_secret_value()
        if not address.startswith(("postgresql://", "postgres://")):
            raise ValueError("the address must begin with postgresql://")
        # A port that is no number, or brackets around no IPv6 address, raise a ValueError that says so.
        _ = urlsplit(address).port
        return value

    @field_validator("public_url", "arxiv_feed_url", "arxiv_oai_url", "arxiv_api_url", "llm_base_url")
    @classmethod
    def _http_only(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an http or https address is needed")
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @model_validator(mode="after")
    def _polite(self) -> "Settings":
        if self.arxiv_interval < POLITE_INTERVAL and is_arxivs(self.arxiv_feed_url):
            raise ValueError(
                "ZHAIYAO_ARXIV_INTERVAL: arXiv's terms allow one request every 3 seconds; "
                "a shorter interval is only for a mirror of your own"
            )
        return self

    @property
    def listens_locally(self) -> bool:
        """Whether the API is reached from its own machine only."""
        return addresses.listens_locally(self.host)

    def address(self, asked: str) -> str:
        """Where readers reach the service, without a slash at the end: as it is set, or as a request was addressed."""
        return (self.public_url or asked).rstrip("/")

    def feed_url(self, category: str) -> str:
        """The address of a category's listing.

        ``ZHAIYAO_ARXIV_FEED_URL`` may hold ``{category}``; otherwise the name is appended to its path, and ``/rss`` is
        added to a bare host.
        """
        if "{category}" in self.arxiv_feed_url:
            return self.arxiv_feed_url.replace("{category}", category)
        parts = urlsplit(self.arxiv_feed_url)
        path = parts.path.rstrip("/") or "/rss"
        return urlunsplit(parts._replace(path=f"{path}/{category}"))


def is_arxivs(url: str) -> bool:
    """Whether an address is on one of arXiv's own hosts, so that its terms of use hold."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host == "arxiv.org" or host.endswith(".arxiv.org")


def check_language(tag: str) -> str:
    """A BCP 47 language tag in its usual case, such as ``zh``, ``zh-Hant`` or ``pt-BR``; ``ValueError`` if it is none."""
    match = re.fullmatch(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?", tag)
    if match is None:
        raise ValueError(f"{tag[:40]!r} is not a language tag such as zh, en or zh-Hant")
    language, script, region = match.groups()
    parts = [language.lower(), script.title() if script else None, region.upper() if region else None]
    return "-".join(part for part in parts if part)


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and ``.env``; raises ``ConfigurationError`` with one sentence for the first wrong setting."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(_sentence(first["loc"], first["msg"])) from None
    except ZhaiyaoError as error:
        raise ConfigurationError(_sentence(("categories",), error.detail)) from None


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ").rstrip(".")
    if not location:
        return f"{message}."
    name = str(location[0]).lower().removeprefix("zhaiyao_")
    name = next((new for new, older in _OLDER_NAMES.items() if older.lower() == name), name)
    end = "" if message.endswith("?") else "."
    example = f" Example: ZHAIYAO_{name.upper()}={_EXAMPLES[name]}" if name in _EXAMPLES else ""
    return f"ZHAIYAO_{name.upper()} is wrong: {message}{end}{example}"


def sqlalchemy_url(url: str) -> str:
    """The address for SQLAlchemy's asyncpg driver; libpq's ``sslmode`` is called ``ssl`` there."""
    parts = urlsplit(url)
    query = urlencode([("ssl" if name == "sslmode" else name, value) for name, value in parse_qsl(parts.query)])
    # Not urlunsplit: it leaves the slashes of an address without a host (postgresql:///name?host=/run/postgresql) out.
    return f"postgresql+asyncpg://{parts.netloc}{parts.path}" + (f"?{query}" if query else "")


def mask(url: str) -> str:
    """A database address that may be shown: the password is replaced."""
    url = re.sub(r"(?<=[?&]password=)[^&#]*", "***", url)
    password = urlsplit(url).password
    return url if password is None else url.replace(f":{password}@", ":***@", 1)
