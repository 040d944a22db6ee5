#!/bin/sh
# Makes sure that the programs which the tests drive are on this machine: mail clients, openssl, Dovecot, strace, Chromium, PostgreSQL.
# Debian packages are installed when this runs as root; otherwise what is missing is named, with the way to get it.
set -u

missing=""
need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

need openssl openssl
need curl curl
need swaks swaks
need fetchmail fetchmail
need mpop mpop
need strace strace
need chromium chromium
[ -x /usr/lib/dovecot/lmtp ] || missing="$missing dovecot-lmtpd"
[ -x /usr/lib/dovecot/pop3 ] || missing="$missing dovecot-pop3d"
if ! command -v initdb >/dev/null 2>&1 && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 &&
    [ -z "${OCT_TEST_POSTGRES:-}" ]; then
    missing="$missing postgresql"
fi
[ -z "$missing" ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests drive programs that are not here:$missing" >&2
    echo "Install them with: sudo apt-get install$missing" >&2
    exit 2
fi
echo "Installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends $missing >/dev/null
