#!/bin/sh
# After installing and after an upgrade: a relay that runs is started again, one that was
# never switched on stays off.
set -e
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	systemctl try-restart starling-relay.service || true
fi
