# Settings of the Unix socket: its group and permissions; a group that does not exist stops the start. With huge_pages the node asks
# for them under the metadata image, and for nothing else.
use strict;
use warnings;
use Ottla::Test::Node;
use Test::More;

my ($gid) = $> == 0 ? 4242 : (split ' ', $()[0];
my $node = Ottla::Test::Node->new(conf => {
    'unix.socket.group'       => $gid,
    'unix.socket.permissions' => '0660',
    'huge_pages'              => 'true',
})->start;
my @st = stat $node->unix_socket;
is($st[5], $gid, 'group of the socket');
is($st[2] & 0777, 0660, 'its permissions');
my @asked = Ottla::Test::Node::slurp('/proc/' . $node->pid . '/smaps') =~ /^VmFlags:.* hg\b/mg;
my $has = -e '/sys/kernel/mm/transparent_hugepage/enabled';
is(scalar @asked, $has ? 1 : 0, 'one mapping asks for huge pages');
is($node->stop('fast'), 0, 'clean stop');

my $wrong = Ottla::Test::Node->new(conf => { 'unix.socket.group' => 'no-such-group' })->launch;
is($wrong->wait_exit, 78, 'a group that does not exist: exit code 78');
like($wrong->log_text, qr/unix\.socket\.group: there is no group "no-such-group"/, '... with the reason');
done_testing;
