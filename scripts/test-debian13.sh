#!/bin/bash
# Builds brio and runs its tests in a Debian 13 chroot, with g++ 14 and with that release's clang.
#
#   scripts/test-debian13.sh [gcc|clang]…     default: both
#
# Needs root (debootstrap, chroot). The chroot is made once, in ${XDG_CACHE_HOME:-~/.cache}/brio/trixie,
# from the mirror that this machine's apt uses; builds stay in it, so a second run is quick.
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$PWD
[[ $EUID -eq 0 ]] || exec sudo --preserve-env=HOME,XDG_CACHE_HOME,http_proxy,https_proxy,JOBS bash "$0" "$@"

root=${XDG_CACHE_HOME:-$HOME/.cache}/brio/trixie
compilers=("$@")
[[ ${#compilers[@]} -gt 0 ]] || compilers=(gcc clang)
# What the tests need on Debian 12, under the names of Debian 13.
mapfile -t packages < <(scripts/setup.sh --list test | sed -E \
  -e 's/^(clang|lld)-19$/\1/' -e 's/^libboost1.81-dev$/libboost-dev/' -e 's/^g\+\+$/g++-14/' \
  -e '/^(llvm-19|libclang-rt-19-dev)$/d')

mirror() {
  apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
    awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }'
}

proxy() {
  local http=${http_proxy:-} value
  eval "$(apt-config shell value Acquire::http::Proxy)"
  echo "${http:-${value:-}}"
}

make_root() {
  local from
  from=$(mirror)
  [[ -n $from ]] || { echo "no Debian mirror in this machine's apt sources" >&2; exit 1; }
  echo "brio: making a Debian 13 chroot in $root"
  rm -rf "$root.part"
  mkdir -p "$(dirname "$root")"
  http_proxy=$(proxy) debootstrap --variant=minbase --include=ca-certificates trixie "$root.part" "$from"
  # No service starts inside, and apt inside goes the way that it goes outside.
  printf '#!/bin/sh\nexit 101\n' >"$root.part/usr/sbin/policy-rc.d"
  chmod 755 "$root.part/usr/sbin/policy-rc.d"
  local through
  through=$(proxy)
  [[ -z $through ]] || printf 'Acquire::http::Proxy "%s";\n' "$through" \
    >"$root.part/etc/apt/apt.conf.d/proxy"
  mv "$root.part" "$root"
}

inside() {
  chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive JOBS="${JOBS:-$(nproc)}" "$@"
}

mounted=()
leave() {
  local place
  for place in "${mounted[@]}"; do umount "$root$place" 2>/dev/null || true; done
}
trap leave EXIT
attach() {
  mkdir -p "$root$2"
  mountpoint -q "$root$2" || mount "${@:3}" "$1" "$root$2"
  mounted=("$2" "${mounted[@]}")
}

[[ -d $root ]] || make_root
attach proc /proc -t proc
attach /dev /dev --bind
attach devpts /dev/pts -t devpts
attach tmpfs /dev/shm -t tmpfs
attach "$tree" /src --bind -o ro
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true

if ! inside dpkg-query -W "${packages[@]}" >/dev/null 2>&1; then
  inside apt-get -q update
  inside apt-get -q -y --no-install-recommends install "${packages[@]}"
fi

status=0
for compiler in "${compilers[@]}"; do
  case $compiler in
    # Without optimisation g++ makes no tail call from one coroutine to the next: the stack grows.
    gcc) cxx=g++-14 cc=gcc-14 flags="-O2 -g1" ;;
    clang) cxx=clang++ cc=clang flags="-O0 -g1" ;;
    *) echo "no compiler \"$compiler\" (gcc clang)" >&2; exit 2 ;;
  esac
  echo "=== Debian $(cat "$root/etc/debian_version"): $(inside $cxx --version | head -1)"
  build=/root/build/$compiler
  inside CC=$cc CXX=$cxx cmake -S /src -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS_DEBUG="$flags" \
    -DBRIO_WERROR=ON -DBRIO_BUILD_TESTS=ON -DBRIO_BUILD_EXAMPLES=ON >"$root/root/configure.log" 2>&1 ||
    { cat "$root/root/configure.log"; exit 1; }
  # A compiler that refuses one file does not hide what it says of the others.
  inside cmake --build "$build" -j "${JOBS:-$(nproc)}" -- -k 0 || status=1
  inside ctest --test-dir "$build" -j "${JOBS:-$(nproc)}" --output-on-failure || status=1
done
exit "$status"
