# syntax=docker/dockerfile:1
# NVIDIA's tritonserver from its wheel, with OpenVINO and Conch's backend, without a GPU.
# Build: docker build -f docker/triton-cpu.Dockerfile -t conch-triton-cpu .
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS packages
RUN python -m venv --without-pip /opt/venv
COPY requirements/triton.lock /tmp/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv install --no-deps --require-hashes --no-compile -r /tmp/triton.lock
# The Python backend wants its stub beside it, and one stub is enough.
RUN set -eu; \
    version=$(/opt/venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
    wheel="/opt/venv/lib/python$version/site-packages/pytriton/tritonserver"; \
    mkdir -p /opt/triton/backends; \
    mv "$wheel/backends/python" /opt/triton/backends/python; \
    mv "$wheel/python_backend_stubs/$version/triton_python_backend_stub" /opt/triton/backends/python/; \
    mv "$wheel/bin" "${wheel%/pytriton/tritonserver}/nvidia_pytriton.libs" /opt/triton/; \
    rm -rf "$wheel"

FROM ${PYTHON}
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /opt/triton /opt/triton
COPY docker/triton/start /usr/local/bin/start-triton
COPY triton_backend/llm /opt/triton/backends/llm
# The stub finds the packages through the first python3 on PATH, and libpython in /usr/local/lib.
ENV PATH=/opt/venv/bin:/opt/triton/bin:$PATH \
    LD_LIBRARY_PATH=/opt/triton/nvidia_pytriton.libs:/usr/local/lib \
    BACKENDS=/opt/triton/backends \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000 8001 8002
HEALTHCHECK --interval=5s --timeout=3s --start-period=5m --retries=3 \
  CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=2)"]
ENTRYPOINT ["start-triton"]
