#!/bin/sh
# What udhcpc does with a lease: takes it, and says what it was given.
[ "$1" = bound ] || exit 0
ip addr replace "$ip/$mask" dev "$interface"
[ -n "$mtu" ] && ip link set dev "$interface" mtu "$mtu"
[ -n "$router" ] && ip route replace default via "$router"
echo "$ip/$mask via ${router:-none} dns ${dns:-none} mtu ${mtu:-none} domain ${domain:-none} name ${hostname:-none}"
