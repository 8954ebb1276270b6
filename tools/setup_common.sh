# What the set-up scripts share. Sourced from the repository's folder, with the log's path in $log.

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

# apt-get install PACKAGE..., where this user may; else the line that says what to run.
install_packages() {
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        say "installing $* with apt-get"
        { apt-get install -y --no-install-recommends "$@" || {
            apt-get update && apt-get install -y --no-install-recommends "$@"
        }; } >> "$log" 2>&1 || { tail -5 "$log" >&2; fail "apt-get could not install $*; the log is $log"; }
    else
        fail "system packages are missing; install them and run make again: sudo apt-get install $*"
    fi
}

# The same for those that are not there yet; does nothing on systems without Debian's packages.
install_missing() {
    command -v dpkg-query > /dev/null || return 0
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'install ok installed' \
            || missing+=("$package")
    done
    [ "${#missing[@]}" = 0 ] || install_packages "${missing[@]}"
}

# make_venv PYTHON FOLDER
make_venv() {
    if ! "$1" -c 'import ensurepip, venv' > /dev/null 2>&1; then
        # Debian keeps both in a package of their own, named after the version.
        install_packages "python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    fi
    say "making a virtual environment in $2 ($("$1" --version))"
    "$1" -m venv "$2" >> "$log" 2>&1 || {
        rm -rf "$2"
        tail -5 "$log" >&2
        fail "could not make $2; the log is $log"
    }
}
