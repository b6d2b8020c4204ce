"""The service's settings, read alike by every process.

Each comes from `ASSAY_<NAME>` or from `assay.toml` (in the working directory, or where
`ASSAY_CONFIG` says); the environment wins.
"""

import os
import re
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


def _content(value: str) -> str:
    """Return a setting's text, which `@file` has in a file."""
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text()
    except OSError as error:
        raise ValueError(f"{value[1:]} cannot be read: {error.strerror}") from None


class ModelSettings(BaseModel):
    """Where one model lives, and its bounds over all jobs of a process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = None
    api_key_env: str | None = None
    concurrency: Annotated[int, Field(ge=1)] | None = None
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None


class Settings(BaseSettings):
    """All settings of a process; see the table in the README."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", frozen=True, extra="forbid")

    home: Path = Path(".assay")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 7331
    public_url: str | None = None
    database_url: str | None = None
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    secret_key: SecretStr | None = None
    default_endpoint: str | None = None
    default_api_key: SecretStr | None = None
    default_judge: str | None = None
    datasets: Path | None = None
    allow_endpoints: Annotated[tuple[str, ...], NoDecode] = ()
    parallelism: Annotated[int, Field(ge=1, le=4096)] = 8
    max_jobs: Annotated[int, Field(ge=1)] = 8
    max_body: Annotated[int, Field(ge=1)] = 10_000_000
    max_upload: Annotated[int, Field(ge=1)] = 5_000_000_000
    max_row: Annotated[int, Field(ge=1)] = 32_000_000
    max_decoded: Annotated[int, Field(ge=1)] = 1_000_000_000
    work_pool: str = "assay"
    strict_columns: bool = False
    task_runner: Literal["threads", "dask"] = "threads"
    dask_address: str | None = None
    models: dict[str, ModelSettings] = {}

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.absolute()

    @field_validator("allow_endpoints", "api_keys", mode="before")
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
        return self

    @cached_property
    def jobs_url(self) -> str:
        """The SQLAlchemy URL of the job tables."""
        return self.database_url or f"sqlite:///{self.home / 'assay.db'}"

    def environment(self) -> dict[str, str]:
        """Return the variables that make another process work on the same home, port and datasets."""
        chosen = {"ASSAY_HOME": self.home, "ASSAY_PORT": self.port, "ASSAY_DATASETS": self.datasets}
        return {name: str(value) for name, value in chosen.items() if value is not None}

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
        file = Path(os.environ.get("ASSAY_CONFIG", "assay.toml"))
        if "ASSAY_CONFIG" in os.environ and not file.is_file():
            raise FileNotFoundError(f"ASSAY_CONFIG names {file}, which is no file")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)
