#!/usr/bin/env bash
# scripts/services: what it starts serves, is told of, is found again, and ends.
set -euo pipefail
services=$HQ_SOURCE/scripts/services
dir=$(mktemp -d "$PWD/services-XXXXXX")
trap '"$services" stop --dir "$dir"; rm -rf "$dir"' EXIT

fail() {
    echo "test_services: $*" >&2
    exit 1
}

code=0
lines=$("$services" start --dir "$dir" --zookeeper-port 0 --mongo-port 0) || code=$?
[ $code -ne 77 ] || exit 77
[ $code -eq 0 ] || fail "start ended with $code"
zookeeper_port=$(sed -n '1s|^HQ_COORDINATOR=zk:127\.0\.0\.1:\([0-9]*\)/hq$|\1|p' <<<"$lines")
mongo_port=$(sed -n '2s|^HQ_STORE=mongodb://127\.0\.0\.1:\([0-9]*\)/hq$|\1|p' <<<"$lines")
if [ -z "$zookeeper_port" ] || [ -z "$mongo_port" ] || [ "$(wc -l <<<"$lines")" -ne 2 ]; then
    fail "start printed: $lines"
fi

"$services" wait zookeeper --port "$zookeeper_port" --seconds 60 || fail "ZooKeeper does not serve"
"$services" wait mongo-java --port "$mongo_port" --seconds 60 || fail "the MongoDB server does not serve"
[[ $("$services" status --dir "$dir") == *"zookeeper: runs on port $zookeeper_port,"* ]] || fail "status does not tell"
[ "$("$services" start --dir "$dir")" = "$lines" ] || fail "a second start did not find what runs"

# What is taken is refused if it was asked for by number.
if "$services" start --dir "$dir/other" --zookeeper-port "$zookeeper_port" 2>"$dir/refusal"; then
    fail "a taken port was not refused"
fi
grep -q "port $zookeeper_port for ZooKeeper is taken" "$dir/refusal" || fail "refused with: $(cat "$dir/refusal")"

"$services" stop --dir "$dir"
! "$services" status --dir "$dir" >"$dir/status" || fail "status after stop: $(cat "$dir/status")"
! "$services" wait zookeeper --port "$zookeeper_port" --seconds 0 || fail "ZooKeeper serves after stop"
! "$services" wait mongo-java --port "$mongo_port" --seconds 0 || fail "the MongoDB server serves after stop"

for wrong in "" "begin" "start --port" "start --zookeeper-port x" "run zookeeper" "run postgres --port 1"; do
    code=0
    # shellcheck disable=SC2086 # several words each
    "$services" $wrong >"$dir/usage" 2>&1 || code=$?
    [ $code -eq 2 ] || fail "\"services $wrong\" ended with $code"
    grep -q Usage "$dir/usage" || fail "\"services $wrong\" does not tell how to use it"
done
