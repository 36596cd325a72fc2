# Makes twat_cache(3) of the header: awk -v version=3.0.0 -f tools/man.awk include/twat_cache.h
# The header is the specification; this only sets it for man.

function escaped(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    if (text ~ /^[.']/) text = "\\&" text
    return text
}

# A line of documentation: `code` in bold, the labelled clauses as paragraphs.
function say(text) {
    sub(/^ +/, "", text)
    if (text == "") { blank = 1; return }
    if (text ~ /^# /) { sub(/^# /, "", text); print ".PP"; print ".I " text ":"; blank = 0; return }
    if (text ~ /^(Ownership|Errors|Threads|Since|Release|Fork):/) print ".br"
    else if (blank) print ".PP"
    blank = 0
    text = escaped(text)
    while (match(text, /`[^`]*`/))
        text = substr(text, 1, RSTART - 1) "\\fB" substr(text, RSTART + 1, RLENGTH - 2) "\\fR" substr(text, RSTART + RLENGTH)
    print text
}

function say_doc(  i) {
    blank = 0
    for (i = 1; i <= lines; i++) say(doc[i])
}

function code(text) { print "\\fB" escaped(text) "\\fR" }

function section(name) {
    if (name != current) print ".SH " name
    current = name
}

BEGIN {
    print ".\\\" Made of include/twat_cache.h by tools/man.awk."
    print ".TH TWAT_CACHE 3 \"\" \"twat-cache " version "\" \"Library functions\""
    print ".SH NAME"
    print "twat_cache \\- one embeddable cache for every language"
    print ".SH SYNOPSIS"
    print ".nf"
    print ".B #include <twat_cache.h>"
    print ".sp"
    print "cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs twat_cache)"
    print ".fi"
    print ".SH DESCRIPTION"
    intro = 1
}


# The first comment, as it stands.
intro {
    line = $0
    last = line ~ /\*\//
    sub(/^\/\* ?/, "", line); sub(/^ \*\/?/, "", line)
    if (!begun) { print ".nf"; begun = 1 }
    print escaped(line)
    if (last) { print ".fi"; intro = 0 }
    next
}

/^\/\*$/ { in_doc = 1; lines = 0; next }
in_doc && /^ *\*\/$/ { in_doc = 0; next }
in_doc { doc[++lines] = $0; next }

/^#define TWAT_/ && lines > 0 {
    section("CONSTANTS")
    print ".TP"
    print "\\fB" $2 "\\fR = " escaped($3)
    say_doc()
    lines = 0
    next
}

/^typedef struct [a-z_]+ [a-z_]+;/ {
    section("TYPES")
    print ".SS " $3
    say_doc()
    lines = 0
    next
}

/^typedef struct [a-z_]+ \{/ {
    section("TYPES")
    print ".SS struct " $3
    say_doc()
    lines = 0
    in_struct = 1
    next
}
in_struct && /^ +\/\*$/ { in_field = 1; lines = 0; next }
in_struct && in_field && /^ +\*\/$/ { in_field = 0; next }
in_struct && in_field { doc[++lines] = $0; next }
in_struct && /^\}/ { in_struct = 0; lines = 0; next }
in_struct {
    sub(/^ +/, "")
    print ".TP"
    code($0)
    say_doc()
    lines = 0
    next
}

# A prototype, over one line or several.
/^[a-z].*twat_[a-z0-9_]+\(/ { prototype = 1; name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); text = "" }
prototype {
    sub(/^ +/, " ")
    text = text $0
    if (/;$/) {
        section("FUNCTIONS")
        print ".SS " name
        code(text)
        print ".PP"
        say_doc()
        lines = 0
        prototype = 0
    }
    next
}

END {
    print ".SH SEE ALSO"
    print "docs/c.md, docs/options.md and docs/format.md of"
    print "https://github.com/twardoch/twat\\-cache"
}
