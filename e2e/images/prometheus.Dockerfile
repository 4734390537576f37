FROM debian:bookworm-slim
RUN apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends prometheus && install --directory --owner=nobody --group=nogroup /prometheus
USER nobody
WORKDIR /prometheus
VOLUME ["/prometheus"]
EXPOSE 9090
ENTRYPOINT ["/usr/bin/prometheus"]
