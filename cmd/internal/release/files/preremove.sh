#!/bin/sh
# Before removing, and not before an upgrade: the relay says goodbye to the network.
set -e
case "$1" in
remove | 0)
	if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
		systemctl disable --now starling-relay.service || true
	fi
	;;
esac
