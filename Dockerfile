# Assay as a service: `docker build -t assay .`; docs/install.md says how it is run.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY core ./core
COPY store ./store
COPY tasks ./tasks
COPY flows ./flows
COPY api ./api
COPY web ./web
COPY cli ./cli
RUN python -m venv /opt/assay \
    && /opt/assay/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt '.[s3,redis]'

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin assay \
    && install --directory --owner 10001 --mode 0700 /data
COPY --from=build /opt/assay /opt/assay
# Nothing is written outside /data and /tmp, so that the root may be read-only.
ENV PATH=/opt/assay/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PREFECT_UI_STATIC_DIRECTORY=/tmp/prefect-ui \
    ASSAY_HOME=/data \
    ASSAY_HOST=0.0.0.0
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 7331
HEALTHCHECK --start-period=180s --interval=10s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7331/health', timeout=4)"]
ENTRYPOINT ["assay"]
CMD ["serve"]
