# Sourced by the commands in tools/: finds a Python that can make virtual environments, or installs Debian's.
# All else is written in Python, and lies beside this file.

can_make_environments() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Sets PYTHON. Debian's own comes first: its headers are packages, and it does not go away with somebody's home folder.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 python3; do
        if can_make_environments "$candidate"; then
            PYTHON=$candidate
            return
        fi
    done
    install_python
    PYTHON=/usr/bin/python3
    if ! can_make_environments "$PYTHON"; then
        echo "$0: Python 3.11 or newer is needed; this machine's package is older: $("$PYTHON" --version)" >&2
        exit 2
    fi
}

install_python() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$0: Python 3.11 or newer with its module venv is needed. On Debian 12, as root:" >&2
        echo "    apt-get install python3 python3-venv" >&2
        exit 2
    fi
    echo 'Installing Python …'
    local said
    # The first try fails where apt's lists are absent or too old; a repository that fails need not be one we use.
    said=$(apt_get install python3 python3-venv 2>&1) && return
    said=$(apt_get update 2>&1; apt_get install python3 python3-venv 2>&1) && return
    echo "$said" >&2
    echo "$0: apt-get could not install python3 and python3-venv" >&2
    exit 1
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" \
        </dev/null
}
