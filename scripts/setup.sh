#!/bin/bash
# Installs the Debian packages that a job needs and this machine lacks.
#
#   scripts/setup.sh <profile>…      profiles: run test lint bench docs fuzz debian13
#   scripts/setup.sh --list <profile>…   only print the packages
#
# It says what it installs, uses sudo where it is not root, takes mirrors and proxies as the machine
# has them, and leaves no service running or enabled that wasn't. When nothing is missing it does
# nothing and needs no rights.
set -euo pipefail

packages_of() {
  case $1 in
    # `make run`: compiler, build tools, the libraries that the rooms use. No servers, no test tools.
    run)
      echo clang-19 lld-19 cmake ninja-build
      echo liburing-dev libssl-dev zlib1g-dev libboost1.81-dev libidn2-dev libpsl-dev libcli11-dev
      echo python3
      ;;
    test)
      packages_of run
      echo doctest-dev ccache libclang-rt-19-dev llvm-19
      echo g++ pkg-config
      echo curl wget openssl ca-certificates nginx-light gdb
      echo python3-aiohttp python3-websockets
      echo socat netcat-openbsd dnsmasq-base
      ;;
    lint)
      packages_of test
      echo clang-format-19 clang-tidy-19 clang-tools-19 python3-clang-19
      ;;
    bench)
      packages_of run
      echo valgrind
      ;;
    docs) echo mkdocs python3-clang-19 clang-19 ;;
    fuzz) packages_of test ;;
    debian13) echo debootstrap debian-archive-keyring ;;
    *)
      echo "setup.sh: no profile \"$1\" (run test lint bench docs fuzz debian13)" >&2
      exit 2
      ;;
  esac
}

wanted() {
  local profile
  for profile in "$@"; do packages_of "$profile"; done | tr ' ' '\n' | sort -u
}

missing_of() {
  local package status
  for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || echo "$package"
  done
}

as_root() {
  # sudo drops the environment, and a proxy may be told nowhere else.
  if [[ $EUID -eq 0 ]]; then
    "$@"
  else
    sudo env ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} "$@"
  fi
}

# What systemd would start at the next boot.
enabled_services() {
  find /etc/systemd/system -path '*.wants/*.service' -printf '%f\n' 2>/dev/null | sort -u
}

# --- as root: this script calls itself with --install ------------------------------------------

policy=/usr/sbin/policy-rc.d
saved=/usr/sbin/policy-rc.d.before-brio

restore_policy() {
  if [[ -e $saved ]]; then mv -f "$saved" "$policy"; else rm -f "$policy"; fi
}

install_as_root() {
  # One at a time: two would take each other's policy for the machine's own.
  exec 9>/run/lock/brio-setup.lock
  flock 9

  # Debian starts a server when it is installed, unless this file forbids it. What was there before
  # comes back, also after a run that was killed.
  if [[ -e $policy && ! -e $saved ]] && ! grep -q 'brio: no service' "$policy"; then
    mv "$policy" "$saved"
  fi
  trap restore_policy EXIT
  printf '#!/bin/sh\n# brio: no service starts while its packages are installed\nexit 101\n' >"$policy"
  chmod 755 "$policy"

  export DEBIAN_FRONTEND=noninteractive
  local before after service
  before=$(enabled_services)
  local get=(apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  # Nothing that is here already may go: a conflict is for the machine's owner to decide.
  local install=("${get[@]}" install -y --no-install-recommends --no-remove "$@")
  local log
  log=$(mktemp)
  # The lists are fetched only when they are empty or too old for these packages.
  if ! "${install[@]}" >"$log" 2>&1 </dev/null; then
    if ! { "${get[@]}" update && "${install[@]}"; } >"$log" 2>&1 </dev/null; then
      cat "$log" >&2
      rm -f "$log"
      return 1
    fi
  fi
  rm -f "$log"

  after=$(enabled_services)
  for service in $(comm -13 <(echo "$before") <(echo "$after")); do
    echo "brio: $service came with a package; it stays disabled"
    systemctl disable "$service" >/dev/null 2>&1 ||
      find /etc/systemd/system -path "*.wants/$service" -delete
  done
}

# --- main ---------------------------------------------------------------------------------------

case ${1:-} in
  --install)
    shift
    install_as_root "$@"
    exit
    ;;
  --list)
    shift
    wanted "$@"
    exit
    ;;
  "")
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

packages=$(wanted "$@")
# shellcheck disable=SC2086  # words are wanted
missing=$(missing_of $packages)
[[ -n $missing ]] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "brio: this is no Debian. Please install what these packages hold: ${missing//$'\n'/ }" >&2
  exit 1
fi
if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then
  echo "brio: neither root nor sudo. As root, run: apt-get install ${missing//$'\n'/ }" >&2
  exit 1
fi
echo "brio: installing with apt-get: ${missing//$'\n'/ }"
# shellcheck disable=SC2086
as_root bash "$0" --install $missing
# shellcheck disable=SC2086
still=$(missing_of $packages)
if [[ -n $still ]]; then
  echo "brio: these could not be installed: ${still//$'\n'/ }" >&2
  exit 1
fi
