FROM python:3.11.11-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
COPY pyproject.toml uv.lock README.md ./
COPY schemas schemas
COPY models models
COPY agents agents
COPY collectors collectors
COPY streams streams
COPY sql sql
RUN uv sync --frozen --no-dev --no-editable

FROM python:3.11.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home gpu-health
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 GPU_HEALTH_DATA_DIR=/home/gpu-health/data
USER gpu-health
ENTRYPOINT ["gpu-health"]
CMD ["--help"]
