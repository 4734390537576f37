# The folder of a Rust toolchain is the context.
FROM debian:bookworm-slim
RUN apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends ca-certificates gcc libc6-dev
COPY bin /usr/local/cargo/bin
COPY lib /usr/local/cargo/lib
ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
