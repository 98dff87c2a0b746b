#!/usr/bin/env bash
# Drives a robot, streams its camera and reads its events as JSON. See ../README.md.
set -euo pipefail

port=${VECTOR_ADDRESS##*:}
common=(--silent --cacert "$VECTOR_CERT" --resolve "$VECTOR_NAME:$port:${VECTOR_ADDRESS%:*}")
call() { # PATH JSON [OPTION...]
    curl "${common[@]}" -H "Authorization: Bearer $VECTOR_GUID" -d "$2" "${@:3}" "https://$VECTOR_NAME:$port/v1/$1"
}
count() { # how many of the first lines of a stream hold a word; 2 s are enough for 20
    { call "$1" '{}' --no-buffer --max-time 2 || true; } | head -n 20 | grep -c "$2" || true
}

volts=$(call battery_state '{}' | sed 's/.*"battery_volts":\([0-9.]*\).*/\1/')
events=$(count event_stream '"robot_state"')
frames=$(count camera_feed '"data":"/9j/') # a JPEG in base64

# Control stays with whoever took it last, also when the stream ends.
granted=$({ call assume_behavior_control '{"control_request": {"priority": 20}}' --no-buffer --max-time 1 || true; } |
    grep -c control_granted_response || true)
call go_to_pose '{"x_mm": 60, "y_mm": 0, "rad": 0, "id_tag": 2000001}' --max-time 20 >&2

VECTOR_GUID=wrong
refused=$(call battery_state '{}' --output /dev/null --write-out '%{http_code}')
printf '{"battery_volts": %s, "events": %d, "frames": %d, "granted": %s, "refused": "%s"}\n' \
    "$volts" "$events" "$frames" "$([ "$granted" -gt 0 ] && echo true || echo false)" "$refused"
