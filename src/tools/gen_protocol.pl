#!/usr/bin/perl
# gen_protocol.pl - makes the codecs of all messages from src/protocol/messages/*.txt
#
# Usage: gen_protocol.pl OUTDIR TABLE.txt...
#
# For each NAME.txt it writes OUTDIR/msg_NAME.h and OUTDIR/msg_NAME.c, and for all together
# OUTDIR/messages_list.c, the table of all messages. Files that would not change are left alone. The
# code is meant to be read in a debugger: one function for each struct and pass, fields in the order
# of the table. What the functions promise is said in include/ottla/protocol/wire.h.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Ottla::ProtocolTables qw(load_file NEVER);
use Ottla::Tools qw(write_if_changed);

my %CTYPE = (
    bool => 'bool', int8 => 'int8_t', int16 => 'int16_t', uint16 => 'uint16_t', int32 => 'int32_t',
    uint32 => 'uint32_t', int64 => 'int64_t', float64 => 'double', string => 'StrView',
    uuid => 'Uuid', bytes => 'BytesView', records => 'RecordsView',
);
my %FIXED = (
    bool => 1, int8 => 1, int16 => 2, uint16 => 2, int32 => 4, uint32 => 4, int64 => 8,
    float64 => 8, uuid => 16,
);
my %LIMITS = (
    '-9223372036854775808' => 'INT64_MIN', '9223372036854775807' => 'INT64_MAX',
    '-2147483648' => 'INT32_MIN', '2147483647' => 'INT32_MAX',
);

my $msg;    # the message that is generated now

sub snake {
    my ($name) = @_;
    $name =~ s/([A-Z])/_\l$1/g;
    return $name =~ s/^_//r;
}
sub ctype { return $msg->{name} . $_[0]{name} }
sub fname { return snake(ctype($_[0])) }
sub is_pointer { my ($f) = @_; return $f->{struct} && !$f->{array} && $f->{nlo} <= $f->{nhi} }

# ---- conditions --------------------------------------------------------------------------------

# A C condition for lo <= version <= hi among the versions of the message; '1' always, '0' never.
sub in_range {
    my ($lo, $hi) = @_;
    return '0' if $lo > $hi || $lo > $msg->{hi} || $hi < $msg->{lo};
    my @c;
    return "version == $lo" if $lo == $hi && $msg->{lo} < $msg->{hi};
    push @c, "version >= $lo" if $lo > $msg->{lo};
    push @c, "version <= $hi" if $hi < $msg->{hi};
    return @c ? join(' && ', @c) : '1';
}
sub c_bool { my ($c) = @_; return $c eq '1' ? 'true' : $c eq '0' ? 'false' : $c }
sub field_cond { my ($f) = @_; return in_range($f->{lo}, $f->{hi}) }
sub null_cond { my ($f) = @_; return c_bool(in_range($f->{nlo}, $f->{nhi})) }

sub flexible_word {
    my ($f) = @_;
    return 'false' if $msg->{flex} > $msg->{hi} || ($f && $f->{rigid});
    return $msg->{flex} <= $msg->{lo} ? 'true' : 'flexible';
}

# Consecutive fields with the same condition: a list of [condition, fields...]. Tagged ones apart.
sub groups {
    my ($s) = @_;
    my @groups;
    for my $f (grep { !defined $_->{tag} } @{$s->{fields}}) {
        my $c = field_cond($f);
        next if $c eq '0';
        if (@groups && $groups[-1][0] eq $c) {
            push @{$groups[-1]}, $f;
        } else {
            push @groups, [$c, $f];
        }
    }
    return @groups;
}
sub tagged {
    my ($s) = @_;
    my @tagged = sort { $a->{tag} <=> $b->{tag} } grep { defined $_->{tag} } @{$s->{fields}};
    return @tagged;
}

# Fewest wire bytes of a struct in a version.
sub min_bytes {
    my ($s, $version) = @_;
    my $flexible = $version >= $msg->{flex};
    my $sum = $flexible ? 1 : 0;
    for my $f (@{$s->{fields}}) {
        next if defined $f->{tag} || $version < $f->{lo} || $version > $f->{hi};
        my $short = $flexible && !$f->{rigid};
        if ($f->{array}) {
            $sum += $short ? 1 : 4;
        } elsif ($f->{struct}) {
            my $null = $version >= $f->{nlo} && $version <= $f->{nhi};
            $sum += $null ? 1 : min_bytes($f->{struct}, $version);
        } else {
            $sum += $FIXED{$f->{base}} // ($short ? 1 : $f->{base} eq 'string' ? 2 : 4);
        }
    }
    return $sum;
}

# The same as an expression of version.
sub min_bytes_expr {
    my ($s) = @_;
    my ($text, $last) = ('', undef);
    for my $v ($msg->{lo} .. $msg->{hi}) {
        my $n = min_bytes($s, $v);
        $n = 1 if $n < 1;
        if (!defined $last) {
            $text = $n;
        } elsif ($n != $last) {
            $text = "version >= $v ? $n : $text";
        }
        $last = $n;
    }
    return $text;
}

# ---- defaults ----------------------------------------------------------------------------------

sub default_value {
    my ($f) = @_;
    my ($base, $d) = ($f->{base}, $f->{default});
    my $null = defined $d && $d eq 'null';
    return $null ? 'WIRE_NULL_STRING' : 'WIRE_EMPTY_STRING' if $base eq 'string';
    return $null ? 'WIRE_NULL_BYTES' : 'WIRE_EMPTY_BYTES' if $base eq 'bytes';
    return $f->{nlo} <= $f->{nhi} ? 'WIRE_NULL_RECORDS' : 'WIRE_EMPTY_RECORDS' if $base eq 'records';
    return '(Uuid){{0}}' if $base eq 'uuid';
    return $d // 'false' if $base eq 'bool';
    $d //= 0;
    return $LIMITS{$d} // $d;
}

sub set_default {
    my ($f) = @_;
    my $lv = "ret->$f->{name}";
    return ("$lv = NULL;", "${lv}_count = " . (defined $f->{default} ? -1 : 0) . ';') if $f->{array};
    return "$lv = NULL;" if is_pointer($f);
    return fname($f->{struct}) . "_init(&$lv);" if $f->{struct};
    return "$lv = " . default_value($f) . ';';
}

# A condition that the value differs from its default.
sub not_default {
    my ($f) = @_;
    my $v = "msg->$f->{name}";
    my $null = defined $f->{default} && $f->{default} eq 'null';
    my $nullable = $f->{nlo} <= $f->{nhi};
    return $null ? "${v}_count >= 0" : "${v}_count != 0" if $f->{array};
    return "$v != NULL" if is_pointer($f);
    return '!' . fname($f->{struct}) . "_is_default(&$v)" if $f->{struct};
    return $nullable ? "!records_is_null(&$v)" : "$v.len != 0" if $f->{base} eq 'records';
    if ($f->{base} =~ /^(string|bytes)$/) {
        return $null ? "$v.ptr != NULL" : $nullable ? "($v.ptr == NULL || $v.len != 0)" : "$v.len != 0";
    }
    return "!uuid_is_zero($v)" if $f->{base} eq 'uuid';
    return default_value($f) eq 'true' ? "!$v" : $v if $f->{base} eq 'bool';
    return "$v != " . default_value($f);
}

# ---- code text ---------------------------------------------------------------------------------

sub indent { my ($n, @lines) = @_; return map { length $_ ? ('    ' x $n) . $_ : $_ } @lines }

# if (cond) { a } else { b }; cond may be '1'
sub if_else {
    my ($cond, $then, $else) = @_;
    return @$then if $cond eq '1';
    return if !@$then && !@$else;
    return ("if (!($cond)) {", indent(1, @$else), '}') if !@$then;
    return ("if ($cond) {", indent(1, @$then), '}') if !@$else;
    return ("if ($cond) {", indent(1, @$then), '} else {', indent(1, @$else), '}');
}

sub quoted { my ($f) = @_; return "\"$f->{json}\"" }

# A function of a struct: what nobody uses is silenced, flexible is computed when it is used.
sub function {
    my ($head, $params, @body) = @_;
    my $text = join "\n", @body;
    my @pre;
    push @pre, "const bool flexible = version >= $msg->{flex};" if $text =~ /\bflexible\b/;
    my @void = map { "(void)$_;" } grep { my $p = $_; "@pre $text" !~ /(?<![>"])\b$p\b/ } @$params;
    return join("\n", $head, '{', indent(1, @pre, @void, @body), '}', '', '');
}

# ---- read --------------------------------------------------------------------------------------

sub read_field {
    my ($f, $in_tag) = @_;
    my ($lv, $name) = ("ret->$f->{name}", quoted($f));
    my ($flex, $null) = (flexible_word($f), null_cond($f));
    $flex = 'true' if $in_tag;
    if ($f->{array} && $f->{struct}) {
        my $read = 'read_' . fname($f->{struct});
        my $min = min_bytes_expr($f->{struct});
        return (
            "${lv}_count = wire_read_count(r, $flex, $null, $min, $name);",
            "$lv = wire_alloc(r, ${lv}_count, sizeof *$lv, $name);",
            "for (int32_t i = 0; i < ${lv}_count && r->err == 0; i++)",
            "    $read(r, version, &${lv}[i]);",
        );
    }
    return "$lv = wire_read_$f->{base}_array(r, $flex, $null, &${lv}_count, $name);" if $f->{array};
    if (is_pointer($f)) {
        my $present = 'wire_read_present(r, ' . ($in_tag ? 'true' : 'false') . ", $name)";
        $present = "(!($null) || $present)" if $null ne 'true';
        return (
            "$lv = NULL;",
            "if ($present)",
            "    $lv = wire_alloc(r, 1, sizeof *$lv, $name);",
            "if ($lv != NULL)",
            '    read_' . fname($f->{struct}) . "(r, version, $lv);",
        );
    }
    return 'read_' . fname($f->{struct}) . "(r, version, &$lv);" if $f->{struct};
    return "$lv = wire_read_$f->{base}(r, $flex, $null, $name);"
        if $f->{base} =~ /^(string|bytes|records)$/;
    return "$lv = wire_read_$f->{base}(r, $name);";
}

sub read_tags {
    my ($s) = @_;
    my @tagged = tagged($s);
    return 'ret->unknown_tags = wire_read_tags(r);' if !@tagged;
    my @cases;
    for my $f (@tagged) {
        my @read = read_field($f, 1);
        my $cond = field_cond($f);
        $cond = '1' if $f->{lo} <= $msg->{flex} && $cond eq "version >= $f->{lo}";
        @read = if_else($cond, \@read, ['wire_fail(r, OT_E_MALFORMED, ' . quoted($f) . ');']);
        push @cases, "case $f->{tag}:", indent(1, @read, 'break;');
    }
    return (
        'for (int32_t left = wire_read_tag_count(r); left > 0 && r->err == 0; left--) {',
        indent(1, 'const uint8_t *outer_end;', 'uint32_t tag = wire_read_tag_begin(r, &outer_end);',
            'switch (tag) {', @cases, 'default:',
            '    wire_read_unknown_tag(r, tag, left, &ret->unknown_tags);', '    break;', '}',
            'wire_read_tag_end(r, outer_end);'),
        '}',
    );
}

sub read_fields {
    my ($s) = @_;
    my @body;
    for my $g (groups($s)) {
        my ($cond, @fields) = @$g;
        push @body, if_else($cond, [map { read_field($_) } @fields],
            [map { set_default($_) } @fields]);
    }
    return @body;
}

sub read_end {
    my ($s) = @_;
    my @body;
    my @tagged = tagged($s);
    push @body, map { set_default($_) } @tagged;
    if ($msg->{flex} <= $msg->{hi}) {
        push @body, 'ret->unknown_tags = NULL;' if @tagged || flexible_word() ne 'true';
        my $cond = flexible_word() eq 'true' ? '1' : 'flexible';
        push @body, if_else($cond, [read_tags($s)], []);
    }
    return @body;
}

sub gen_read {
    my ($s) = @_;
    my ($name, $type) = (fname($s), ctype($s));
    return function("static void\nread_$name(WireReader *r, int16_t version, $type *ret)",
        ['r', 'version', 'ret'], read_fields($s), read_end($s));
}

# ---- size --------------------------------------------------------------------------------------

sub size_field {
    my ($f, $in_tag, $s) = @_;
    $s //= 's';
    my ($v, $name) = ("msg->$f->{name}", quoted($f));
    my ($flex, $null) = (flexible_word($f), null_cond($f));
    $flex = 'true' if $in_tag;
    if ($f->{array}) {
        return "wire_size_string_array($s, $flex, $null, $v, ${v}_count, $name);"
            if $f->{base} eq 'string';
        return "wire_size_fixed_array($s, $flex, $null, ${v}_count, sizeof *$v, $name);"
            if !$f->{struct};
        return (
            "wire_size_count($s, $flex, $null, ${v}_count, $name);",
            "for (int32_t i = 0; i < ${v}_count; i++)",
            '    size_' . fname($f->{struct}) . "($s, version, &${v}[i]);",
        );
    }
    if (is_pointer($f)) {
        my $size = 'size_' . fname($f->{struct}) . "($s, version, $v);";
        my $mark = "    ($s)->bytes++;";
        my @then = ("if ($v != NULL)", "    $size");
        return ("($s)->bytes++;", @then) if $null eq 'true';
        return ("if ($null)", $mark, "else if ($v == NULL)",
            "    wire_size_fail($s, OT_E_UNSUPPORTED_VERSION, $name);", @then);
    }
    return 'size_' . fname($f->{struct}) . "($s, version, &$v);" if $f->{struct};
    return "wire_size_records($s, $flex, $null, &$v, $name);" if $f->{base} eq 'records';
    return "wire_size_$f->{base}($s, $flex, $null, $v, $name);" if $f->{base} =~ /^(string|bytes)$/;
    return "($s)->bytes += $FIXED{$f->{base}};";
}

# The statements of several fields, sums of fixed ones drawn together.
sub size_fields {
    my (@fields) = @_;
    my ($fixed, @out) = (0);
    for my $f (@fields) {
        if (!$f->{array} && $FIXED{$f->{base}}) {
            $fixed += $FIXED{$f->{base}};
        } else {
            push @out, size_field($f);
        }
    }
    unshift @out, "s->bytes += $fixed;" if $fixed;
    return map { s/\(s\)->/s->/gr } @out;
}

sub refuse {
    my ($f) = @_;
    return if $f->{ignorable};
    return ('if (' . not_default($f) . ')',
        '    wire_size_fail(s, OT_E_UNSUPPORTED_VERSION, ' . quoted($f) . ');');
}

sub size_tag {
    my ($f) = @_;
    return (
        'if (' . not_default($f) . ') {',
        indent(1, 'WireSizer content = {0};',
            (map { s/\(&content\)->/content./gr } size_field($f, 1, '&content')),
            "wire_size_tagged(s, $f->{tag}, &content);", 'tags++;'),
        '}',
    );
}

sub size_untagged {
    my ($s) = @_;
    my @body;
    for my $g (groups($s)) {
        my ($cond, @fields) = @$g;
        push @body, if_else($cond, [size_fields(@fields)], [map { refuse($_) } @fields]);
    }
    return @body;
}

sub size_end {
    my ($s) = @_;
    my @body;
    my @tagged = tagged($s);
    for my $f (@tagged) {
        push @body, if_else(field_cond($f), [size_tag($f)], [refuse($f)]);
    }
    if ($msg->{flex} <= $msg->{hi}) {
        my $end = 'wire_size_tags(s, ' . (@tagged ? 'tags' : '0') . ', msg->unknown_tags);';
        if (flexible_word() eq 'true') {
            push @body, $end;
        } else {
            push @body, 'if (flexible)', "    $end", 'else if (msg->unknown_tags != NULL)',
                '    wire_size_fail(s, OT_E_UNSUPPORTED_VERSION, "unknown tags");';
        }
    }
    return @body;
}

sub size_all {
    my ($s) = @_;
    return ((tagged($s) ? 'uint32_t tags = 0;' : ()), size_untagged($s), size_end($s));
}

sub gen_size {
    my ($s) = @_;
    my ($name, $type) = (fname($s), ctype($s));
    return function("static void\nsize_$name(WireSizer *s, int16_t version, const $type *msg)",
        ['s', 'version', 'msg'], size_all($s));
}

# ---- write -------------------------------------------------------------------------------------

sub write_field {
    my ($f, $in_tag) = @_;
    my $v = "msg->$f->{name}";
    my ($flex, $null) = (flexible_word($f), null_cond($f));
    $flex = 'true' if $in_tag;
    if ($f->{array} && $f->{struct}) {
        return (
            "wire_write_count(w, $flex, ${v}_count);",
            "for (int32_t i = 0; i < ${v}_count; i++)",
            '    write_' . fname($f->{struct}) . "(w, version, &${v}[i]);",
        );
    }
    return "wire_write_$f->{base}_array(w, $flex, $v, ${v}_count);" if $f->{array};
    if (is_pointer($f)) {
        my $mark = $in_tag ? "wire_write_int8(w, $v != NULL ? 1 : 0);"
            : "wire_write_int8(w, $v != NULL ? 1 : -1);";
        return (
            ($null eq 'true' ? $mark : ("if ($null)", "    $mark")),
            "if ($v != NULL)",
            '    write_' . fname($f->{struct}) . "(w, version, $v);",
        );
    }
    return 'write_' . fname($f->{struct}) . "(w, version, &$v);" if $f->{struct};
    return "wire_write_records(w, $flex, &$v);" if $f->{base} eq 'records';
    return "wire_write_$f->{base}(w, $flex, $v);" if $f->{base} =~ /^(string|bytes)$/;
    return "wire_write_$f->{base}(w, $v);";
}

# Counts the tags that will be written, then writes them in order, unknown ones in between.
sub write_tags {
    my ($s) = @_;
    my @tagged = tagged($s);
    return 'wire_write_tags(w, msg->unknown_tags);' if !@tagged;
    my (@count, @write);
    for my $f (@tagged) {
        my $cond = not_default($f);
        my $there = field_cond($f);
        $cond = "$there && $cond" if $there ne '1' && $there ne "version >= $msg->{flex}";
        push @count, "tags += $cond ? 1 : 0;";
        push @write, "if ($cond) {",
            indent(1, 'WireSizer content = {0};',
                (map { s/\(&content\)->/content./gr } size_field($f, 1, '&content')),
                "wire_write_tag(w, $f->{tag}, content.bytes, msg->unknown_tags, &next);",
                write_field($f, 1)),
            '}';
    }
    return (
        'uint32_t tags = 0;', 'int32_t next = 0;', @count,
        'wire_write_tags_head(w, tags, msg->unknown_tags);', @write,
        'wire_write_tags_end(w, msg->unknown_tags, next);',
    );
}

sub write_fields {
    my ($s) = @_;
    my @body;
    for my $g (groups($s)) {
        my ($cond, @fields) = @$g;
        push @body, if_else($cond, [map { write_field($_) } @fields], []);
    }
    return @body;
}

sub write_end {
    my ($s) = @_;
    return if $msg->{flex} > $msg->{hi};
    my $cond = flexible_word() eq 'true' ? '1' : 'flexible';
    return if_else($cond, [write_tags($s)], []);
}

sub gen_write {
    my ($s) = @_;
    my ($name, $type) = (fname($s), ctype($s));
    return function("static void\nwrite_$name(WireWriter *w, int16_t version, const $type *msg)",
        ['w', 'version', 'msg'], write_fields($s), write_end($s));
}

# ---- piece by piece ----------------------------------------------------------------------------

# The array of a struct that is marked 'each', or undef.
sub each_of { my ($s) = @_; return (grep { $_->{each} } @{$s->{fields}})[0] }

# What stands before that array in the struct, and what comes after it.
sub split_struct {
    my ($s) = @_;
    my (@before, @after, $seen);
    for my $f (@{$s->{fields}}) {
        if ($f->{each}) {
            $seen = 1;
        } else {
            push @{$seen || defined $f->{tag} ? \@after : \@before}, $f;
        }
    }
    return map { +{name => $s->{name}, fields => $_} } \@before, \@after;
}

# A public function of one pass over a struct or a part of it.
sub piece {
    my ($pass, $s, $part, @body) = @_;
    my ($name, $type) = (fname($s), ctype($s));
    my %params = (
        read => ['WireReader *r', "$type *ret"],
        size => ['WireSizer *s', "const $type *msg"],
        write => ['WireWriter *w', "const $type *msg"],
    );
    my ($io, $value) = @{$params{$pass}};
    my $head = "${name}_$pass$part($io, int16_t version, $value)";
    return "$head;" if !@body;
    return function("void\n$head", [substr($io, -1), 'version', $value =~ /(\w+)$/], @body);
}

# Head and tail of a struct whose array is marked; all of an element that has none of its own.
sub gen_pieces {
    my ($s) = @_;
    my $f = each_of($s) or return '';
    my ($before, $after) = split_struct($s);
    my ($flex, $min) = (flexible_word($f), min_bytes_expr($f->{struct}));
    my ($count, $json) = ("$f->{name}_count", quoted($f));
    my $out = piece('read', $s, '_head', fname($s) . '_init(ret);', read_fields($before),
        "ret->$count = wire_read_count(r, $flex, false, $min, $json);");
    $out .= piece('read', $s, '_tail', read_fields($after), read_end($after));
    $out .= piece('size', $s, '_head', size_untagged($before),
        "wire_size_count(s, $flex, false, msg->$count, $json);");
    $out .= piece('size', $s, '_tail', size_all($after));
    $out .= piece('write', $s, '_head', write_fields($before),
        "wire_write_count(w, $flex, msg->$count);");
    $out .= piece('write', $s, '_tail', write_fields($after), write_end($after));
    my $elem = $f->{struct};
    return $out if each_of($elem);
    my $name = fname($elem);
    return $out . piece('read', $elem, '', "read_$name(r, version, ret);")
        . piece('size', $elem, '', "size_$name(s, version, msg);")
        . piece('write', $elem, '', "write_$name(w, version, msg);");
}

sub pieces_prototypes {
    my ($s) = @_;
    my $f = each_of($s) or return '';
    my @out = ("/* Piece by piece: head (with the count of $f->{name}), each of $f->{name}, tail. */");
    for my $pass (qw(read size write)) {
        push @out, map { 'void ' . piece($pass, $s, $_) } qw(_head _tail);
        push @out, 'void ' . piece($pass, $f->{struct}, '') if !each_of($f->{struct});
    }
    return join("\n", @out, '', '');
}

# ---- init, comparison with the default, description ----------------------------------------------

sub gen_init {
    my ($s) = @_;
    my ($name, $type) = (fname($s), ctype($s));
    my @body = map { set_default($_) } @{$s->{fields}};
    push @body, 'ret->unknown_tags = NULL;' if $msg->{flex} <= $msg->{hi};
    return function("void\n${name}_init($type *ret)", ['ret'], @body);
}

# Structs that are compared with their default: inline ones that are tagged or missing somewhere.
sub compared_structs {
    my ($all, $root) = @_;
    my %need;
    for my $s (@$all) {
        for my $f (grep { $_->{struct} && !$_->{array} && !is_pointer($_) } @{$s->{fields}}) {
            $need{$f->{struct}{name}} = 1
                if defined $f->{tag} || (field_cond($f) ne '1' && !$f->{ignorable});
        }
    }
    for my $s (reverse @$all) {
        next if !$need{$s->{name}};
        $need{$_->{struct}{name}} = 1
            for grep { $_->{struct} && !$_->{array} && !is_pointer($_) } @{$s->{fields}};
    }
    return \%need;
}

sub gen_is_default {
    my ($s) = @_;
    my ($name, $type) = (fname($s), ctype($s));
    my @body = map { ('if (' . not_default($_) . ')', '    return false;') } @{$s->{fields}};
    push @body, $msg->{flex} <= $msg->{hi} ? 'return msg->unknown_tags == NULL;' : 'return true;';
    return function("static bool\n${name}_is_default(const $type *msg)", ['msg'], @body);
}

sub range_init { my ($lo, $hi) = @_; return $lo > $hi ? '{1, 0}' : "{$lo, $hi}" }

sub gen_desc {
    my ($s) = @_;
    my ($name, $type) = (fname($s), ctype($s));
    my @rows;
    for my $f (@{$s->{fields}}) {
        my @words = (
            '.name = ' . quoted($f),
            '.type = WIRE_' . ($f->{struct} ? 'STRUCT' : uc $f->{base}),
            ".pos = offsetof($type, $f->{name})",
            ($f->{array} ? ('.array = true', ".count_pos = offsetof($type, $f->{name}_count)") : ()),
            ($f->{struct} ? '.sub = &' . fname($f->{struct}) . '_struct' : ()),
            '.versions = ' . range_init($f->{lo}, $f->{hi}),
            '.nullable = ' . range_init($f->{nlo}, $f->{nhi}),
            '.tag = ' . ($f->{tag} // -1),
            (is_pointer($f) ? '.pointer = true' : ()),
            (map { $f->{$_} ? ".$_ = true" : () } qw(key ignorable rigid)),
            ($f->{entity} ? '.entity = WIRE_ENTITY_' . uc $f->{entity} : ()),
        );
        push @rows, '    {' . join(', ', @words) . "},\n";
    }
    my $count = @rows;
    my $tags = $msg->{flex} <= $msg->{hi} ? "offsetof($type, unknown_tags)" : '-1';
    my $out = '';
    my $fields = 'NULL';
    if ($count) {
        $fields = "${name}_fields";
        $out = "static const FieldDesc ${name}_fields[] = {\n@{[join '', @rows]}};\n\n";
    }
    return $out . "static const StructDesc ${name}_struct = {\n"
        . "    .name = \"$type\", .fields = $fields, .fields_count = $count,\n"
        . "    .bytes = sizeof($type), .tags_pos = $tags,\n};\n\n";
}

sub gen_message_desc {
    my ($name, $type) = (snake($msg->{name}), $msg->{name});
    my $kind = uc $msg->{kind};
    my $number = $msg->{number} // -1;
    return <<"E";
static void
any_${name}_read(WireReader *r, int16_t version, void *ret)
{
    ${name}_read(r, version, ret);
}

static void
any_${name}_size(WireSizer *s, int16_t version, const void *msg)
{
    ${name}_size(s, version, msg);
}

static void
any_${name}_write(WireWriter *w, int16_t version, const void *msg)
{
    ${name}_write(w, version, msg);
}

static void
any_${name}_init(void *ret)
{
    ${name}_init(ret);
}

const MessageDesc ${name}_desc = {
    .name = "$type", .body = &${name}_struct, .kind = MESSAGE_$kind, .number = $number,
    .versions = {$msg->{lo}, $msg->{hi}}, .flexible_from = $msg->{flex},
    .read = any_${name}_read, .size = any_${name}_size, .write = any_${name}_write,
    .init = any_${name}_init,
};

E
}

# The functions that others call.
sub gen_public {
    my ($name, $type) = (snake($msg->{name}), $msg->{name});
    my ($lo, $hi) = ($msg->{lo}, $msg->{hi});
    return <<"E";
void
${name}_read(WireReader *r, int16_t version, $type *ret)
{
    if (version < $lo || version > $hi)
        wire_fail(r, OT_E_UNSUPPORTED_VERSION, "version");
    else
        read_$name(r, version, ret);
    if (r->err != 0)
        ${name}_init(ret);
}

void
${name}_size(WireSizer *s, int16_t version, const $type *msg)
{
    if (version < $lo || version > $hi)
        wire_size_fail(s, OT_E_UNSUPPORTED_VERSION, "version");
    else
        size_$name(s, version, msg);
}

void
${name}_write(WireWriter *w, int16_t version, const $type *msg)
{
    ot_assert(version >= $lo && version <= $hi);
    write_$name(w, version, msg);
}

E
}

# ---- headers -----------------------------------------------------------------------------------

sub range_text {
    my ($lo, $hi) = @_;
    return $lo == $hi ? $lo : $hi == NEVER ? "$lo+" : "$lo-$hi";
}

sub member {
    my ($f) = @_;
    my $type = $f->{struct} ? ctype($f->{struct}) : $CTYPE{$f->{base}};
    my $star = $f->{array} || is_pointer($f) ? '*' : '';
    my @notes;
    push @notes, range_text($f->{lo}, $f->{hi}) if $f->{lo} > 0 || $f->{hi} < NEVER;
    push @notes, $f->{nlo} == 0 && $f->{nhi} == NEVER ? 'null' : 'null ' . range_text($f->{nlo}, $f->{nhi})
        if $f->{nlo} <= $f->{nhi};
    push @notes, "tag $f->{tag}" if defined $f->{tag};
    push @notes, "default $f->{default}" if defined $f->{default};
    my $note = @notes ? ' /* ' . join(', ', @notes) . ' */' : '';
    my @out = "    $type $star$f->{name};$note";
    push @out, "    int32_t $f->{name}_count;" if $f->{array};
    return @out;
}

sub gen_struct {
    my ($s) = @_;
    my ($name, $type) = (fname($s), ctype($s));
    my @members = map { member($_) } @{$s->{fields}};
    push @members, '    WireTags *unknown_tags;' if $msg->{flex} <= $msg->{hi};
    die "$msg->{where}: $type is empty\n" if !@members;
    return join("\n", "typedef struct $type {", @members, "} $type;", '',
        "void ${name}_init($type *ret);", '', '');
}

sub gen_prototypes {
    my ($name, $type) = (snake($msg->{name}), $msg->{name});
    my $flex = $msg->{flex} <= $msg->{hi} ? "flexible from $msg->{flex}" : 'never flexible';
    return <<"E";
/* $type: versions $msg->{lo} to $msg->{hi}, $flex. */
void ${name}_read(WireReader *r, int16_t version, $type *ret);
void ${name}_size(WireSizer *s, int16_t version, const $type *msg);
void ${name}_write(WireWriter *w, int16_t version, const $type *msg);
extern const MessageDesc ${name}_desc;

E
}

# ---- files -------------------------------------------------------------------------------------

my ($dir, @tables) = @ARGV;
die "usage: gen_protocol.pl OUTDIR TABLE.txt...\n" if !@tables;
my (%types, @all);
for my $path (sort @tables) {
    my @messages = load_file($path);
    my ($file) = $path =~ m{([^/]+)\.txt$};
    my ($h, $c) = ('', '');
    for my $m (@messages) {
        $msg = $m;
        my $root = {name => '', fields => $m->{fields}};
        my @structs = (@{$m->{structs}}, $root);
        my $compared = compared_structs(\@structs);
        for my $s (@structs) {
            die "$path: type " . ctype($s) . " twice\n" if $types{ctype($s)}++;
            $h .= gen_struct($s) . pieces_prototypes($s);
            $c .= gen_init($s);
            $c .= gen_is_default($s) if $compared->{$s->{name}};
            $c .= gen_read($s) . gen_size($s) . gen_write($s) . gen_pieces($s) . gen_desc($s);
        }
        $h .= gen_prototypes();
        $c .= gen_public() . gen_message_desc();
        push @all, [$m->{name}, $m->{kind}, $m->{number}];
    }
    my $guard = 'OTTLA_GEN_MSG_' . uc($file) . '_H';
    my $note = "generated by gen_protocol.pl from messages/$file.txt; do not edit";
    write_if_changed("$dir/msg_$file.h", <<"E");
/* msg_$file.h - $note */
#ifndef $guard
#define $guard

#include "ottla/protocol/messages.h"

$h#endif
E
    chomp $c;
    write_if_changed("$dir/msg_$file.c", <<"E");
/* msg_$file.c - $note */
#include "ottla/protocol/msg_$file.h"

#include "ottla/common/assert.h"

$c
E
}

@all = sort { $a->[0] cmp $b->[0] } @all;
my $externs = join '', map { 'extern const MessageDesc ' . snake($_->[0]) . "_desc;\n" } @all;
my $rows = join '', map { '    &' . snake($_->[0]) . "_desc,\n" } @all;
my $count = @all;
write_if_changed("$dir/messages_list.c", <<"E");
/* messages_list.c - generated by gen_protocol.pl; do not edit */
#include "ottla/protocol/messages.h"

$externs
const MessageDesc *const message_list[] = {
$rows};

const int message_count = $count;
E
