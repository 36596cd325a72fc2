# Sourced by run-c.sh when asked for: what the real `cargo cinstall` lays down
# is what `make install` does, beside CMake's files and the manual.
command -v cargo-cinstall >/dev/null || missing cargo-cinstall "cargo install cargo-c"

say "cargo cinstall beside make install"
cargo cinstall --locked --profile library --prefix /usr --libdir /usr/lib \
    --destdir "$TWAT_TEST_ROOT/cargo-c" --target-dir target/cargo-c >"$TWAT_TEST_ROOT/cargo-c.log" 2>&1 ||
    { cat "$TWAT_TEST_ROOT/cargo-c.log"; fail "cargo cinstall"; }
cargo library --quiet
TWAT_PROFILE=library tools/install.sh install /usr "$TWAT_TEST_ROOT/make" >/dev/null
listed() { (cd "$TWAT_TEST_ROOT/$1/usr" && find . ! -type d ! -path './lib/cmake/*' ! -path './share/man/*' | sort); }
said() { grep -E '^(Name|Description|Version|Libs|Libs.private|Cflags):' "$TWAT_TEST_ROOT/$1/usr/lib/pkgconfig/twat_cache.pc" | sort; }
soname() { readelf -d "$TWAT_TEST_ROOT/$1/usr/lib/libtwat_cache.so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p'; }
for question in listed said soname; do
    diff <($question cargo-c) <($question make) || fail "cargo-c and make install differ"
done
for library in cargo-c make; do
    nm -D --defined-only "$TWAT_TEST_ROOT/$library/usr/lib/libtwat_cache.so" | awk '{ print $3 }' | sort >"$TWAT_TEST_ROOT/$library.exports"
done
diff "$TWAT_TEST_ROOT"/{cargo-c,make}.exports || fail "cargo-c and make install export other symbols"
