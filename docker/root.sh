#!/bin/sh
# Lays out the image's root file system in the folder $1: the programs of /programs and what they need to run.
set -eu
root=$1

mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/usr/share/doc/wa-gateway" "$root/var/lib/dpkg/status.d" \
    "$root/data" "$root/tmp"
cp /programs/* "$root/usr/local/bin/"
cp /LICENSE /NOTICE "$root/usr/share/doc/wa-gateway/"

# Libraries, with the dynamic linker where the programs expect it. Names are looked up without further libraries: DNS
# and files are part of Debian's libc.
for library in $(ldd /programs/* | sed -n -e 's|.*=> \(/[^ ]*\) .*|\1|p' -e 's|^[[:space:]]*\(/[^ ]*ld-linux[^ ]*\) .*|\1|p' | sort -u); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp /etc/os-release "$root/etc/"
for package in base-files ca-certificates libc6 libgcc-s1; do
    dpkg-query --status "$package" > "$root/var/lib/dpkg/status.d/$package"
done

echo 'nonroot:x:65532:65532:nonroot:/data:/sbin/nologin' > "$root/etc/passwd"
echo 'nonroot:x:65532:' > "$root/etc/group"
chown -R 0:0 "$root"
chown 65532:65532 "$root/data"
chmod 0700 "$root/data"
chmod 1777 "$root/tmp"
find "$root" -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH:-0}" {} +
