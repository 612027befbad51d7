# syntax=docker/dockerfile:1
FROM node:26.10.0-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --omit=optional

FROM node:26.10.0-slim
ENV NODE_ENV=production CREDITS_HOST=0.0.0.0 CREDITS_PORT=8000 OS_CREDITS_LEDGER=sqlite:/data/credits.db
WORKDIR /app
# The command line is a word in the container: docker compose --profile worker exec worker os-credits status
RUN install -d -o node -g node /data && ln -s /app/bin/os-credits.js /usr/local/bin/os-credits
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY bin bin
COPY src src
USER node
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s CMD ["node", "-e", "fetch('http://127.0.0.1:'+process.env.CREDITS_PORT+'/livez').then((answer)=>process.exit(answer.ok?0:1),()=>process.exit(1))"]
CMD ["node", "--max-semi-space-size=6", "--heap-growing-percent=30", "src/main.ts"]
# Last, so that another version or revision changes no layer.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="credits-worker"
LABEL org.opencontainers.image.description="Turns the usage of OpenStack projects into credits and keeps Perun up to date with them."
LABEL org.opencontainers.image.licenses="Apache-2.0"
LABEL org.opencontainers.image.version="${VERSION}"
LABEL org.opencontainers.image.revision="${REVISION}"
