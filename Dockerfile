# The broker, compiled. Built in one stage with a compiler, run in another without.

FROM python:3.11-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY core core
COPY protocols protocols
COPY gateway gateway
# DRAGOMAN_COMPILE=1: an image that is not compiled is a failed build.
RUN python -m venv /opt/dragoman \
    && /opt/dragoman/bin/pip install --no-cache-dir --upgrade pip \
    && DRAGOMAN_COMPILE=1 /opt/dragoman/bin/pip install --no-cache-dir .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/dragoman --create-home dragoman
COPY --from=build /opt/dragoman /opt/dragoman
COPY container/dragoman.toml /etc/dragoman/dragoman.toml
ENV PATH=/opt/dragoman/bin:$PATH PYTHONUNBUFFERED=1
USER dragoman
WORKDIR /var/lib/dragoman
VOLUME /var/lib/dragoman
EXPOSE 5670 5672 1883 61613 15675
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["dragoman", "ping", "--config", "/etc/dragoman/dragoman.toml"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["dragoman"]
CMD ["serve", "--config", "/etc/dragoman/dragoman.toml"]
