# syntax=docker/dockerfile:1
# The API and the web chat. Build: docker build -f docker/frontend.Dockerfile -t conch-frontend .
# It writes nothing but temporary files: run it with --read-only --tmpfs /tmp.
# Images with a digest are good here too: --build-arg PYTHON=python:3.11-slim-bookworm@sha256:…
ARG NODE=node:22-bookworm-slim
ARG PYTHON=python:3.11-slim-bookworm

FROM ${NODE} AS webapp
WORKDIR /webapp
COPY webapp/package.json webapp/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm install --no-save --no-audit --no-fund
COPY webapp .
RUN npm run build

FROM ${PYTHON} AS packages
RUN python -m venv --without-pip /opt/venv
COPY requirements/frontend.lock /tmp/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv install --no-deps --require-hashes -r /tmp/frontend.lock

FROM ${PYTHON}
WORKDIR /opt/conch
COPY --from=packages /opt/venv /opt/venv
COPY frontend_api frontend_api
COPY --from=webapp /webapp/dist webapp/dist
RUN python -m compileall -q frontend_api
ENV PATH=/opt/venv/bin:$PATH \
    CONCH_SERVER__HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
# Ready, so that whoever waits for it can be answered; /health tells only that it lives.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readiness', timeout=2)"]
ENTRYPOINT ["python", "-m", "frontend_api"]
