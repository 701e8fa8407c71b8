# ProtocolTables.pm - reads the message tables of src/protocol/messages
#
# Used by gen_protocol.pl and by the test that compares the tables with the reference. The notation
# is described in src/protocol/messages/README.md.
#
# load_file(PATH) returns a list of messages, in file order. A message is a hash:
#   name kind number file        kind: request response header data metadata remote_log control key value
#   lo hi flex                   versions lo..hi; flexible from version flex on (NEVER: none)
#   listeners unstable api       of requests and responses
#   fields                       list of fields
#   structs                      list of its structs in the order of their end: inner ones first
# a struct: name fields; a field:
#   name json base array struct  struct: the struct hash, or undef for a primitive
#   lo hi                        versions in which it exists where its parent does
#   nlo nhi                      versions in which null is allowed (nlo > nhi: none)
#   tag default key ignorable rigid each entity
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::ProtocolTables;

use strict;
use warnings;
use Exporter 'import';
our @EXPORT_OK = qw(load_file load_dir NEVER %PRIMITIVES);

use constant NEVER => 32767;

our %PRIMITIVES = map { $_ => 1 }
    qw(bool int8 int16 uint16 int32 uint32 int64 float64 string uuid bytes records);
my %ENTITIES = map { $_ => 1 } qw(transactional_id producer_id group_id topic_name broker_id);
my %LISTENERS = map { $_ => 1 } qw(broker controller);

# "3-7", "3+", "3", "none"
sub parse_range {
    my ($text, $where) = @_;
    return (1, 0) if $text eq 'none';
    return ($1, $2) if $text =~ /^(\d+)-(\d+)$/ && $1 < $2;
    return ($1, NEVER) if $text =~ /^(\d+)\+$/;
    return ($text, $text) if $text =~ /^\d+$/;
    die "$where: bad range '$text'\n";
}

# Kafka's spelling of a name: max_wait_ms is maxWaitMs.
sub json_name {
    my ($name) = @_;
    $name =~ s/_([a-z0-9])/\U$1/g;
    return $name;
}

sub parse_type {
    my ($field, $text, $where) = @_;
    $text =~ /^(\[)?([A-Za-z]\w*)(\])?(\?(\S*))?$/ && (!!$1 == !!$3) or die "$where: bad type '$text'\n";
    @$field{qw(array base)} = ($1 ? 1 : 0, $2);
    @$field{qw(nlo nhi)} = (1, 0);
    if (defined $4) {
        @$field{qw(nlo nhi)} = length $5 ? parse_range($5, $where) : (0, NEVER);
    }
    $field->{is_struct} = $field->{base} =~ /^[A-Z]/ ? 1 : 0;
    die "$where: unknown type '$field->{base}'\n"
        if !$field->{is_struct} && !$PRIMITIVES{$field->{base}};
}

sub parse_field {
    my ($line, $where) = @_;
    my ($name, $type, @words) = split ' ', $line;
    defined $type or die "$where: a field has a name and a type\n";
    $name =~ /^[a-z][a-z0-9_]*$/ or die "$where: bad name '$name'\n";
    my $field = {
        name => $name, json => json_name($name), lo => 0, hi => NEVER,
        key => 0, ignorable => 0, rigid => 0, each => 0, where => $where,
    };
    parse_type($field, $type, $where);
    while (@words) {
        my $word = shift @words;
        if ($word eq 'tag') {
            $field->{tag} = shift @words;
            ($field->{tag} // '') =~ /^\d+$/ or die "$where: tag without a number\n";
        } elsif ($word eq '=') {
            defined($field->{default} = shift @words) or die "$where: '=' without a value\n";
        } elsif ($word =~ /^(key|ignorable|rigid|each)$/) {
            $field->{$word} = 1;
        } elsif ($word =~ /^@(\w+)$/ && $ENTITIES{$1}) {
            $field->{entity} = $1;
        } else {
            @$field{qw(lo hi)} = parse_range($word, $where);
        }
    }
    return $field;
}

sub parse_head {
    my ($msg, $where, @words) = @_;
    while (@words) {
        my $word = shift @words;
        if ($word eq 'versions') {
            @$msg{qw(lo hi)} = parse_range(shift(@words) // '', $where);
            die "$where: versions have an end\n" if $msg->{hi} == NEVER;
        } elsif ($word eq 'flexible') {
            my ($lo, $hi) = parse_range(shift(@words) // '', $where);
            die "$where: flexible has no end\n" if $lo <= $hi && $hi != NEVER;
            $msg->{flex} = $lo <= $hi ? $lo : NEVER;
        } elsif ($word eq 'unstable') {
            $msg->{unstable} = 1;
        } elsif ($word eq 'on') {
            $msg->{listeners} = [splice @words];
            $LISTENERS{$_} or die "$where: unknown listener '$_'\n" for @{$msg->{listeners}};
        } else {
            die "$where: unknown word '$word'\n";
        }
    }
    defined $msg->{lo} && defined $msg->{flex} or die "$where: versions and flexible are needed\n";
}

# The heads of files: "api 0 Produce ..." gives what "request" and "response" are made of.
sub start_message {
    my ($line, $where, $api) = @_;
    my ($kind, @words) = split ' ', $line;
    if ($kind eq 'api') {
        my ($number, $name, @rest) = @words;
        my $new = {number => $number, api => $name, where => $where};
        parse_head($new, $where, @rest);
        return ($new, undef);
    }
    if ($kind eq 'request' || $kind eq 'response') {
        $api && !@words or die "$where: $kind stands alone, below an api\n";
        return ($api, {%$api, kind => $kind, name => $api->{api} . ucfirst $kind, fields => []});
    }
    my $number;
    if ($kind =~ /^(metadata|remote_log|control|key|value)$/) {
        $number = shift @words;
        ($number // '') =~ /^\d+$/ or die "$where: $kind without a number\n";
    } elsif ($kind !~ /^(header|data)$/) {
        die "$where: unknown kind '$kind'\n";
    }
    my $name = shift @words;
    my $msg = {kind => $kind, name => $name, number => $number, fields => [], where => $where};
    parse_head($msg, $where, @words);
    return ($api, $msg);
}

sub load_file {
    my ($path) = @_;
    my (@messages, @stack, $api, $msg);
    open my $in, '<', $path or die "$path: $!\n";
    while (my $line = <$in>) {
        my $where = "$path:$.";
        chomp $line;
        next if $line =~ /^\s*(#|$)/;
        die "$where: tab or trailing space\n" if $line =~ /\t| $/;
        my ($indent) = $line =~ /^( *)/;
        my $depth = length($indent) / 4;
        if ($depth == 0) {
            ($api, $msg) = start_message($line, $where, $api);
            next if !$msg;
            ($msg->{file}) = $path =~ m{([^/]+)\.txt$};
            push @messages, $msg;
            @stack = ($msg->{fields});
            next;
        }
        $msg && $depth == int $depth && $depth <= @stack or die "$where: bad indentation\n";
        my $field = parse_field($line, $where);
        splice @stack, $depth;
        push @{$stack[$depth - 1]}, $field;
        push @stack, $field->{is_struct} ? ($field->{fields} = []) : ();
    }
    check_message($_) for @messages;
    return @messages;
}

sub load_dir {
    my ($dir) = @_;
    return map { load_file($_) } sort glob "$dir/*.txt";
}

sub check_message {
    my ($msg) = @_;
    $msg->{structs} = [];
    link_fields($msg, $msg->{fields}, {});
}

# Gives every struct field its struct; one without fields of its own repeats an earlier one.
sub link_fields {
    my ($msg, $fields, $known) = @_;
    my (%names, %tags, $each);
    for my $f (@$fields) {
        my $where = $f->{where};
        die "$where: '$f->{name}' twice\n" if $names{$f->{name}}++;
        if (defined $f->{tag}) {
            die "$where: tag $f->{tag} twice\n" if $tags{$f->{tag}}++;
            die "$where: tagged before the flexible versions\n"
                if $f->{lo} < $msg->{flex} && $msg->{lo} < $msg->{flex};
        }
        my $null = ($f->{default} // '') eq 'null';
        die "$where: default null, but null is not allowed\n" if $null && $f->{nlo} > $f->{nhi};
        die "$where: a default of this type is not known here\n"
            if defined $f->{default} && !$null && ($f->{array} || $f->{base} !~ /int|bool|float/);
        die "$where: 'each' is for an array of structs that is always there\n"
            if $f->{each} && (!$f->{is_struct} || !$f->{array} || defined $f->{tag}
                || $f->{nlo} <= $f->{nhi} || $f->{lo} > $msg->{lo} || $f->{hi} < $msg->{hi});
        die "$where: a second 'each'\n" if $f->{each} && $each++;
        next if !$f->{is_struct};
        die "$where: a nullable struct has the default null\n"
            if !$f->{array} && $f->{nlo} <= $f->{nhi} && !$null;
        if (@{$f->{fields}}) {
            die "$where: struct $f->{base} is described twice\n" if $known->{$f->{base}};
            link_fields($msg, $f->{fields}, $known);
            $known->{$f->{base}} = {name => $f->{base}, fields => $f->{fields}};
            push @{$msg->{structs}}, $known->{$f->{base}};
        }
        $f->{struct} = $known->{$f->{base}} or die "$where: struct $f->{base} without fields\n";
        $f->{fields} = $f->{struct}{fields};
    }
}

1;
