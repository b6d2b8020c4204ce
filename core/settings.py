"""The service's settings, read alike by every process.

Each comes from `ASSAY_<NAME>` or from `assay.toml` (in the working directory, or where
`ASSAY_CONFIG` says); the environment wins. What is wrong with them is said by `read_settings` in one sentence.
"""

import os
import re
import ssl
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from difflib import get_close_matches
from functools import cached_property
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from socket import gethostname
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from core.door import Door
from core.errors import InvalidInput, Misconfigured
from core.patterns import Like
from core.retention import Rule, age
from core.setting_origin import PREFIX, origin, settings_file

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses that are listened on and cannot be called."""

BAD_SETTING = 2
"""What a process ends with for a wrong setting."""


def _http(url: str) -> str:
    parts = urlsplit(url)
    if not (re.match(r"https?://[^\s/]", url) and parts.hostname):
        raise ValueError("it must begin with http:// or https:// and a host")
    _ = parts.port  # raises ValueError for what is none
    return url


HttpUrl = Annotated[str, AfterValidator(_http)]


def _age(value: object) -> object:
    """Read an age such as 30d; a number does not say of what it is."""
    try:
        return value if value is None or isinstance(value, timedelta) else age(str(value))
    except InvalidInput as error:
        raise ValueError(error.message) from None


def _content(value: str) -> str:
    """Return a setting's text, which `@file` has in a file."""
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text()
    except OSError as error:
        raise ValueError(f"{value[1:]} cannot be read: {error.strerror}") from None


def _default_hubs() -> tuple[str, ...]:
    """Return the hub that Hugging Face's library would ask."""
    return ((os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/"),)


HeaderName = Annotated[str, Like(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "that is no name of a header of HTTP")]
Bucket = Annotated[
    str, Like(r"^s3://[a-z0-9][a-z0-9.-]+(/[\w.-]+)*/?$", "name a bucket, with a prefix or not, as s3://BUCKET/PREFIX")
]


class ModelSettings(BaseModel):
    """Where one model lives, how it is asked there, and its bounds over all processes.

    `headers` go with each request; a value of the form `env:NAME` is that of a variable. Certificates are verified by
    the authorities in `ca_file` besides the public ones. `api_version` is that of Azure's routes. Prices are of a
    million tokens, in whatever currency one reckons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: HttpUrl | None = None
    api_key_env: str | None = None
    api_version: Annotated[str, Like(r"^[\w.-]+$", "a version has letters, digits and . - _ alone")] | None = None
    headers: dict[HeaderName, SecretStr] = {}
    ca_file: Path | None = None
    concurrency: Annotated[int, Field(ge=1)] | None = None
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    tokens_per_minute: Annotated[float, Field(ge=1)] | None = None
    price_per_million_input: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    price_per_million_output: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    @field_validator("ca_file")
    @classmethod
    def _has_certificates(cls, file: Path | None) -> Path | None:
        if file is None:
            return None
        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:
            raise ValueError(f"{file} has no certificates that can be read: {error}") from None
        return file.absolute()


class Settings(BaseSettings):
    """All settings of a process; see the table in the README."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    home: Path = Path(".assay")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 7331
    public_url: HttpUrl | None = None
    hosts: Annotated[tuple[str, ...], NoDecode] = ()
    database_url: str | None = None
    store: Bucket | None = None
    redis_url: SecretStr | None = None
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    secret_key: SecretStr | None = None
    default_endpoint: HttpUrl | None = None
    default_api_key: SecretStr | None = None
    default_judge: str | None = None
    datasets: Path | None = None
    hubs: Annotated[tuple[str, ...], NoDecode] = Field(default_factory=_default_hubs)
    allow_endpoints: Annotated[tuple[str, ...], NoDecode] = ()
    key_variables: Annotated[tuple[str, ...], NoDecode] = ()
    spec_folders: Annotated[tuple[Path, ...], NoDecode] = ()
    parallelism: Annotated[int, Field(ge=1, le=4096)] = 8
    max_jobs: Annotated[int, Field(ge=1)] = 8
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    max_body: Annotated[int, Field(ge=1)] = 10_000_000
    max_upload: Annotated[int, Field(ge=1)] = 5_000_000_000
    max_row: Annotated[int, Field(ge=1)] = 32_000_000
    max_decoded: Annotated[int, Field(ge=1)] = 1_000_000_000
    max_answer: Annotated[int, Field(ge=1)] = 8_000_000
    work_pool: str = "assay"
    strict_columns: bool = False
    blocks: Annotated[int, Field(ge=1, le=256)] = 1
    block_samples: Annotated[int, Field(ge=1)] = 1000
    task_runner: Literal["threads", "dask", "ray"] = "threads"
    dask_address: str | None = None
    ray_address: str | None = None
    prune_older_than: Annotated[timedelta | None, BeforeValidator(_age)] = None
    prune_keep: Annotated[int | None, Field(ge=1)] = None
    models: dict[str, ModelSettings] = {}

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.absolute()

    @field_validator("redis_url", mode="after")
    @classmethod
    def _is_of_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        if not re.match(r"(rediss?|unix)://[^\s]", url.get_secret_value()):
            raise ValueError("it must begin with redis://, rediss:// or unix://")
        if not find_spec("redis"):
            raise ValueError("it needs the extra: pip install 'assay-evals[redis]'")
        return url

    @field_validator("hubs", mode="after")
    @classmethod
    def _are_urls(cls, hubs: tuple[str, ...]) -> tuple[str, ...]:
        for hub in hubs:
            if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#@\s]*)?", hub):
                raise ValueError("a hub is an http or https URL without user info and query")
        return tuple(hub.rstrip("/") for hub in hubs)

    @field_validator("allow_endpoints", "api_keys", "hosts", "hubs", "key_variables", "spec_folders", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Read a comma-separated list, or one a line from `@file`."""
        if not isinstance(value, str):
            return value
        parts = tuple(part for part in re.split(r"[,\s]+", _content(value)) if part)
        if value.startswith("@") and not parts:
            raise ValueError(f"{value[1:]} is empty")
        return parts

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if not (self.on_loopback or self.api_keys):
            raise ValueError(f"ASSAY_HOST is {self.host}: set ASSAY_API_KEYS to listen beyond this machine")
        runner = self.task_runner
        if runner != "threads" and not find_spec(f"prefect_{runner}"):
            raise ValueError(f"ASSAY_TASK_RUNNER={runner} needs the extra: pip install 'assay-evals[{runner}]'")
        return self

    @property
    def retention(self) -> Rule | None:
        """What goes by itself of the jobs that have ended; None for nothing."""
        if self.prune_older_than is None and self.prune_keep is None:
            return None
        return Rule(self.prune_older_than, self.prune_keep)

    @cached_property
    def jobs_url(self) -> str:
        """The SQLAlchemy URL of the job tables."""
        return self.database_url or f"sqlite:///{self.home / 'assay.db'}"

    @property
    def listening_url(self) -> str:
        """The URL at which the API can be asked on this machine, which no proxy need be up for."""
        host = EVERYWHERE.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the API for those who use it."""
        return (self.public_url or self.listening_url).rstrip("/")

    def of_model(self, model: str) -> ModelSettings:
        """Return what is set of a model; nothing of one that the settings do not know."""
        return self.models.get(model, ModelSettings())

    def url_of(self, model: str) -> str | None:
        """Return where a model answers that is named without a URL; None if the settings do not know it."""
        return self.of_model(model).url or self.default_endpoint

    def environment(self) -> dict[str, str]:
        """Return the variables that make another process work on the same home, address and datasets."""
        chosen = {
            "ASSAY_HOME": self.home,
            "ASSAY_HOST": self.host,
            "ASSAY_PORT": self.port,
            "ASSAY_DATASETS": self.datasets,
            "ASSAY_STORE": self.store,
        }
        return {name: str(value) for name, value in chosen.items() if value is not None}

    @cached_property
    def door(self) -> Door:
        """Who may ask the servers from a browser."""
        published = {urlsplit(self.public_url).hostname or ""} if self.public_url else set()
        names = {"localhost", self.host.lower(), gethostname().lower()}
        return Door(frozenset(names), frozenset({*published, *(host.lower() for host in self.hosts)}))

    def may_name(self, variable: str) -> bool:
        """Whether a request may name a variable that holds a key: never where requests show keys of their own."""
        return variable in self.key_variables and not self.api_keys

    @property
    def on_loopback(self) -> bool:
        """Whether the service listens on this machine alone."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment first, then the TOML file."""
        file = settings_file()
        if "ASSAY_CONFIG" in os.environ and not file.is_file():
            raise Misconfigured(f"ASSAY_CONFIG names {file}, which is no file")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def read_settings(**options: object) -> Settings:
    """Read the settings, of which `options` of a command win; None is none.

    Raises Misconfigured, which names each that is wrong and where it was read.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # they are checked, and named as options
    except ValidationError as error:
        raise Misconfigured("\n".join(_problem(each, given) for each in error.errors())) from None
    except SettingsError:  # of the environment alone: a part of TOML has its type
        names = ", ".join(name for name in os.environ if name.upper() in _IN_JSON)
        raise Misconfigured(
            f"{names} in the environment is not JSON; {settings_file().name} is easier to write"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Misconfigured(f"{settings_file().absolute()} cannot be read: {reason}") from None


def unknown_variables(settings: Settings) -> list[str]:
    """Say of each variable whose name is nearly that of a setting that it is none, and which may be meant."""
    known = {name.upper() for name in Settings.model_fields} | {name.removeprefix(PREFIX) for name in _OTHERS}
    named = {*settings.key_variables, *(model.api_key_env for model in settings.models.values())}
    found = []
    for name in sorted(os.environ):
        own = name.upper().removeprefix(PREFIX)
        if name.upper() == own or own in known or name in named:
            continue
        if near := get_close_matches(own, known, n=1, cutoff=0.75):
            found.append(f"{name} in the environment is no setting; is {PREFIX}{near[0]} meant?")
    return found


@contextmanager
def ending_if_misconfigured() -> Iterator[None]:
    """End this process with the one sentence, and code 2, if a setting is wrong."""
    try:
        yield
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(BAD_SETTING)


def make_folder(folder: Path, setting: str) -> None:
    """Make a folder that a setting names, if it is not there. Raises Misconfigured if it cannot be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"{setting} {folder} cannot be used: {error.strerror}") from None


_IN_JSON = {f"{PREFIX}MODELS"}
_OTHERS = {"ASSAY_CONFIG", "ASSAY_URL", "ASSAY_API_KEY"}
"""Variables that are no settings of the service: where these are read, and what the command line asks it by."""


def _problem(problem: Mapping[str, Any], options: Mapping[str, object]) -> str:
    """Return what is wrong with which setting, and where it was read; a rule over several names them itself."""
    loc, reason = problem["loc"], problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        known = get_close_matches(str(loc[-1]), (ModelSettings if len(loc) > 1 else Settings).model_fields)
        reason = f"there is no such setting{f'; is {known[0]} meant?' if known else ''}"
    named = origin(loc, options) if loc else None
    return f"{named}: {reason}" if named else reason
