#!/usr/bin/env bash
# Builds the container and tries it as a volunteer meets it: a relay that runs in it as a
# user without rights, an account, a stop. Needs buildah, and neither a registry nor a
# daemon. With a name, the image is kept under it; else it is gone in the end.
set -euo pipefail
cd "$(dirname "$0")/.."
keep=${1:-}
work=$(mktemp -d)
storage=()
relay=
cleanup() {
	status=$?
	if [ -n "$relay" ]; then kill -9 "$relay" 2>/dev/null || true; fi
	jobs -p | xargs -r kill 2>/dev/null || true
	if [ "$status" -ne 0 ]; then tail -n 50 "$work/log" || true; fi
	if [ -n "${box:-}" ]; then image rm "$box" >/dev/null 2>&1 || true; fi
	chmod -R u+w "$work"
	rm -rf "$work"
}
trap cleanup EXIT
say() { printf 'container: %s\n' "$*"; }
if [ -z "$keep" ]; then storage=(--storage-driver vfs --root "$work/storage" --runroot "$work/run"); fi
image() { buildah "${storage[@]}" "$@"; }

say "build"
mkdir -p "$work/context/data"
if [ -n "${PROGRAM:-}" ]; then
	cp "$PROGRAM" "$work/context/restante" # one that is built already
else
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid=" -o "$work/context/restante" ./cmd/restante
fi
cp /etc/ssl/certs/ca-certificates.crt "$work/context/"
image build --isolation chroot --quiet --tag "${keep:-restante}" --file packaging/Containerfile "$work/context" >>"$work/log" 2>&1
box=$(image from --pull-never "localhost/${keep:-restante}")

# inside runs the relay's program as the container does: as its user. Its data is where
# we can see it.
inside() { image run --isolation chroot --volume "$work/etc:/etc/restante:ro" --volume "$work/data:/data" "$box" -- /restante "$@"; }

say "start, as a user without rights"
mkdir "$work/etc" "$work/data"
chown 65532:65532 "$work/data" 2>/dev/null || true
{
	printf 'domain = "relay.test"\ndata_dir = "/data"\n'
	for l in smtps submission mx imaps imap https; do printf '[listen.%s]\naddress = "127.0.0.1:0"\nnetwork = "shared"\n' "$l"; done
} >"$work/etc/config.toml"
inside version
inside serve --config /etc/restante/config.toml --ready /data/ready.json >>"$work/log" 2>&1 &
for _ in $(seq 600); do
	if [ -s "$work/data/ready.json" ]; then break; fi
	sleep 0.1
done
relay=$(sed -n 's/.*"pid": \([0-9]*\).*/\1/p' "$work/data/ready.json")
[ -n "$relay" ]
[ "$(awk '/^Uid:/ {print $2}' "/proc/$relay/status")" = 65532 ]

say "make an account"
inside account new alice >/dev/null
inside status | tee -a "$work/log" | grep -q 'accounts.*1,'

say "stop"
kill -TERM "$relay"
wait
relay=
say "ok"
