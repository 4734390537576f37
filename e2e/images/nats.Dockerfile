FROM debian:bookworm-slim
RUN apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends nats-server wget && ln -s /usr/sbin/nats-server /usr/local/bin/
EXPOSE 4222 8222
ENTRYPOINT ["/usr/local/bin/nats-server"]
