# One image for every process: the command says which (`poller`, `collector`, `worker`, `console`, `sandbox`, ...).
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
# The locked dependencies come first: this layer is built again only when the lock changes.
COPY requirements/runtime.lock /tmp/runtime.lock
RUN /venv/bin/pip install --require-hashes --no-deps -r /tmp/runtime.lock
# An application run from its tree, never a library: editable in the image too, so that imports resolve inside /app.
COPY . /app
RUN /venv/bin/pip install --no-deps --editable /app

FROM python:3.11-slim
LABEL org.opencontainers.image.title="hellotext-vtex"
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LOG_FORMAT=json
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin app \
    && install --directory --owner app --mode 0700 /app /app/.state
COPY --from=build /venv /venv
COPY --from=build --chown=app /app /app
USER app
WORKDIR /app
# The secrets key, the collector's spool and tables on disk.
VOLUME /app/.state
# Each service of docker-compose.yml asks its own address; by itself, the main process counts.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "/app/docker/health.py"]
ENTRYPOINT ["hellotext-vtex"]
CMD ["--help"]
