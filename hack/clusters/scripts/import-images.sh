#!/bin/bash
# Imports image archives into the root of a containerd that no other uses; runs in namespaces of its own.
# Usage: import-images.sh CONTAINERD_ROOT ARCHIVE...
set -u
root=$1
shift
mount -t tmpfs tmpfs /run
cat > /run/config.toml <<CONFIG
version = 2
root = "$root"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "/run/containerd/containerd.sock"
CONFIG
containerd --config /run/config.toml 2> /run/log &
daemon=$!
for _ in $(seq 200); do
  ctr version > /dev/null 2>&1 && break
  sleep 0.05
done
for archive in "$@"; do
  ctr --namespace k8s.io images import "$archive" > /dev/null || {
    tail -20 /run/log >&2
    exit 1
  }
done
kill "$daemon"
wait "$daemon"
