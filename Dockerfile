# One image for every role: `zhaiyao api`, `zhaiyao worker`, `zhaiyao db upgrade`, or `zhaiyao up` with the embedded database.
FROM python:3.11-slim-bookworm
WORKDIR /srv/zhaiyao
COPY requirements.lock pyproject.toml README.md ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY app app
COPY migrations migrations
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && useradd --system --create-home --home-dir /var/lib/zhaiyao zhaiyao
USER zhaiyao
ENV ZHAIYAO_DATA_DIR=/var/lib/zhaiyao/data ZHAIYAO_HOST=0.0.0.0 PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["zhaiyao"]
CMD ["up"]
