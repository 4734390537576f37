#!/usr/bin/env bash
# Makes stand-ins for the base images where no registry answers, out of Debian's packages and of this machine's own
# toolchains, under the names that the Dockerfile and the compose file use. They say what they are in a label, and only
# tests use them. Where the image is there already, or a registry has it, that one is used.
#
#   make.sh run      what runs beside the gateway: PostgreSQL, NATS; and Debian itself
#   make.sh build    what the Dockerfile builds with: Rust and Node.js
#   make.sh observe  what watches it: Prometheus, and the OpenTelemetry collector where Go is there. Nothing stands in
#                    for Grafana: no package registry has it
set -euo pipefail
cd "$(dirname "$0")"

# Read from where they are used, so that they cannot differ.
name() { sed -n "s/^ARG $1=//p; s/.*\${$1:-\([^}]*\)}.*/\1/p" "$2" | head -n 1; }
top=../..
postgres=$(name POSTGRES_IMAGE "$top/docker-compose.yml")
nats=$(name NATS_IMAGE "$top/docker-compose.yml")
rust=$(name RUST_IMAGE "$top/docker/Dockerfile")
node=$(name NODE_IMAGE "$top/docker/Dockerfile")
prometheus=$(name PROMETHEUS_IMAGE "$top/docker-compose.yml")
grafana=$(name GRAFANA_IMAGE "$top/docker-compose.yml")
collector=$(name OTEL_COLLECTOR_IMAGE "$top/docker-compose.yml")
debian=debian:bookworm-slim
label=wa-gateway.stand-in

export DOCKER_BUILDKIT=1
docker() { command "${DOCKER:-docker}" "$@"; }

there() { docker image inspect "$1" >/dev/null 2>&1; }
# Asked once: where there is no registry, every answer takes a while.
registry() {
    [ -n "${answer:-}" ] || { timeout 30 "${DOCKER:-docker}" pull --quiet hello-world >/dev/null 2>&1 && answer=yes || answer=no; }
    [ "$answer" = yes ]
}
have() { there "$1" || { registry && docker pull --quiet "$1"; }; }
stand_in() {
    echo "stand-in for $1: $2"
    docker build --quiet --tag "$1" --label "$label=$2" "${@:3}" >/dev/null
}

# A Debian with what all of them need, made once. It trusts whom this machine trusts, which may be behind a proxy.
debian() {
    there "$debian" && return
    registry && docker pull --quiet "$debian" && return
    command -v mmdebstrap >/dev/null || apt-get install --yes --quiet --no-install-recommends mmdebstrap
    echo "stand-in for $debian: Debian's packages"
    mmdebstrap --quiet --variant=minbase --include=ca-certificates --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs' bookworm - \
        | docker import --change "LABEL $label=Debian" - "$debian" >/dev/null
}

# Prints the folder of a collector of the version $1, which is built once and kept beside other caches.
collector_program() {
    local go folder
    go=$(command -v go || command -v /usr/local/go/bin/go) || return
    folder=${XDG_CACHE_HOME:-$HOME/.cache}/wa-gateway/otel-collector-$1
    [ -x "$folder/otelcol" ] || {
        echo "building the OpenTelemetry collector $1, once, in some minutes" >&2
        (cd otel-collector && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false \
            "$go" build -trimpath -ldflags "-s -w -X main.version=$1" -o "$folder/otelcol" .) || return
    }
    echo "$folder"
}

case ${1:-} in
    run)
        have "$postgres" || { debian && stand_in "$postgres" "Debian's PostgreSQL" --file postgres.Dockerfile .; }
        have "$nats" || { debian && stand_in "$nats" "Debian's nats-server" --file nats.Dockerfile .; }
        ;;
    build)
        rustc=$(rustc --version | cut -d ' ' -f 2) sysroot=$(rustc --print sysroot)
        have "$rust" || { debian && stand_in "$rust" "Debian with this machine's Rust $rustc" --file rust.Dockerfile "$sysroot"; }
        have "$node" || {
            debian
            context=$(mktemp --directory)
            trap 'rm -r "$context"' EXIT
            cp --dereference "$(command -v node)" "$context/node"
            cp --recursive "$(npm root --global)/npm" "$context/npm"
            stand_in "$node" "Debian with this machine's Node.js $(node --version)" --file node.Dockerfile "$context"
        }
        ;;
    observe)
        have "$prometheus" || { debian && stand_in "$prometheus" "Debian's Prometheus" --file prometheus.Dockerfile .; }
        version=${collector#*:}
        grep --quiet "/otelcol v$version$" otel-collector/go.mod || { echo "otel-collector/go.mod is not of version $version" >&2; exit 1; }
        have "$collector" || {
            # Without Go there is none, and who asks looks.
            folder=$(collector_program "$version") &&
                stand_in "$collector" "built from its Go modules" --file otel-collector.Dockerfile "$folder"
        } || true
        have "$grafana" || true
        ;;
    *)
        sed -n '2,9s/^# \{0,1\}//p' make.sh >&2
        exit 2
        ;;
esac
