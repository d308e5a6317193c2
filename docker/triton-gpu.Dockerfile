# syntax=docker/dockerfile:1
# Triton with TensorRT-LLM and Conch's backend. Build: docker build -f docker/triton-gpu.Dockerfile -t conch-triton-gpu .
# 26.07 is the newest image whose TensorRT-LLM (1.2.1) compiles engines; a later one runs checkpoints
# with PyTorch instead (docs/engines.md). An engine runs in the image that built it, and in no other.
ARG TRITON_VERSION=26.07
ARG BASE=nvcr.io/nvidia/tritonserver:${TRITON_VERSION}-trtllm-python-py3

FROM ${BASE} AS serve
COPY docker/triton/start /usr/local/bin/start-triton
# Beside python/, as NVIDIA ships its own vLLM backend.
COPY triton_backend/llm /opt/tritonserver/backends/llm
EXPOSE 8000 8001 8002
# A large engine is read for minutes.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30m --retries=3 \
  CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=2)"]
ENTRYPOINT ["start-triton"]

# One engine over several machines (docker/kubernetes/multi-node): MPI starts its ranks there by ssh, and
# the pods' preStop hooks look for them with pgrep.
FROM serve AS nodes
# The base image fixes the versions of its packages; a pin of ours would only be refused by the next one.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openssh-client openssh-server procps \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*
COPY docker/triton/start-nodes /usr/local/bin/start-nodes
ENTRYPOINT ["start-nodes"]

# Builds engines: docker compose -f docker/compose.gpu.yaml run --rm build --help
FROM serve AS build
WORKDIR /opt/conch
COPY triton_backend triton_backend
COPY scripts scripts
HEALTHCHECK NONE
ENTRYPOINT ["python3", "-m", "scripts.engines"]

# What is built unless --target names another.
FROM serve
