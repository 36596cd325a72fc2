# At a release `url` and `sha256` are those of the tag's archive.
class TwatCache < Formula
  desc "One embeddable cache for every language, behind one C ABI"
  homepage "https://github.com/twardoch/twat-cache"
  url "https://github.com/twardoch/twat-cache/archive/refs/tags/v3.0.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "MIT"
  head "https://github.com/twardoch/twat-cache.git", branch: "main"

  depends_on "pkgconf" => :test
  depends_on "rust" => :build
  # tools/install.sh knows no dylib yet.
  depends_on :linux

  def install
    system "cargo", "library"
    system "tools/install.sh", "install", prefix
  end

  test do
    (testpath/"test.c").write <<~C
      #include <stdio.h>
      #include <twat_cache.h>
      int main(void) { return puts(twat_version_string()) < 0; }
    C
    flags = shell_output("pkgconf --cflags --libs twat_cache").chomp.split
    system ENV.cc, "test.c", *flags, "-o", "test"
    assert_equal version.to_s, shell_output("./test").chomp
  end
end
