# Disk.pm - a small ext4 of its own for a test, that fills up, breaks and loses its power on demand
#
#   plan skip_all => Ottla::Test::Disk::missing() if Ottla::Test::Disk::missing();
#   my $disk = Ottla::Test::Disk->new(size_mb => 64);
#   my $dir = $disk->dir;
#   $disk->fill(65536);      # all but so many bytes; $disk->make_room
#   $disk->fail_writeback;   # write() succeeds, the next flush fails and its data is lost; $disk->heal
#   $disk->make_read_only;   # as after an error of the file system
#   $disk->mount_read_only;  # as before a start; $disk->remount
#   my $same = $disk->read_only_view;    # another path to it, by which nothing can be written
#   $disk->power_cut;        # what was not flushed is gone; nobody may use it then
#
# The image lies sparse in a tmpfs, on a loop device, so that nothing reaches a real disk. What fails is the
# tmpfs: without room in it, blocks of the image that were never written cannot be.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Disk;

use strict;
use warnings;
use Carp qw(croak);
use File::Temp qw(tempdir);
use Ottla::Test::Wait qw(comes_true);

use constant {
    FS_IOC_SHUTDOWN => 0x8004587d,
    NO_LOG_FLUSH    => 2,
    BLOCK           => 4096,
    CAP_SYS_ADMIN   => 21,
};

my @all;
my $main_pid = $$;

# Why there can be no such disk here; undef: there can.
sub missing {
    return 'needs root' if $> != 0;
    for my $tool (qw(losetup mkfs.ext4 debugfs fallocate mount umount)) {
        return "needs $tool" if !grep { -x "$_/$tool" } split(/:/, $ENV{PATH}), '/sbin', '/usr/sbin';
    }
    open my $status, '<', '/proc/self/status' or return 'needs /proc';
    my ($capabilities) = map { /^CapEff:\s*\S*(\S{8})$/ ? hex $1 : () } <$status>;
    return 'needs to be allowed to mount' if !(($capabilities // 0) >> CAP_SYS_ADMIN & 1);
    return eval { run('losetup', '-f'); 1 } ? undef : 'needs loop devices';
}

sub run {
    my (@command) = @_;
    local $ENV{PATH} = "$ENV{PATH}:/sbin:/usr/sbin";
    open my $from, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command or croak "@command: $!";
    local $/;
    my $said = <$from> // '';
    close $from or croak "@command: $said";
    return $said;
}

sub new {
    my ($class, %o) = @_;
    my $size = ($o{size_mb} // 64) << 20;
    my $base = tempdir('ottla-disk-XXXXXX', TMPDIR => 1);
    my $self = bless { base => $base, back => "$base/back", dir => "$base/disk" }, $class;
    push @all, $self;
    mkdir $_ or croak "$_: $!" for $self->{back}, $self->{dir};
    run('mount', '-t', 'tmpfs', '-o', "size=$size", 'tmpfs', $self->{back});
    $self->{image} = "$self->{back}/image";
    open my $fh, '>', $self->{image} or croak $!;
    truncate $fh, $size or croak $!;
    close $fh;
    run('mkfs.ext4', '-q', '-b', BLOCK, '-m', 0, '-J', 'size=4', $self->{image});
    $self->back_with_memory(0, 2 << 20);
    my @journal = split ' ', run('debugfs', '-R', 'blocks <8>', $self->{image}) =~ s/^debugfs .*\n//r;
    $self->back_with_memory($journal[0] * BLOCK, ($journal[-1] - $journal[0] + 1) * BLOCK);
    $self->{loop} = run('losetup', '-f', '--show', $self->{image}) =~ s/\n//r;
    $self->mount;
    chmod 0755, $base, $self->{dir};
    return $self;
}

# Tables and journal shall never fail: only what a test writes.
sub back_with_memory {
    my ($self, $from, $bytes) = @_;
    run('fallocate', '-o', $from, '-l', $bytes, $self->{image});
    return;
}

# A journal that commits only when asked saves nothing behind the test's back.
sub mount { my ($self) = @_; run('mount', '-t', 'ext4', '-o', 'noatime,commit=600', $self->{loop}, $self->{dir}); return }

sub dir { $_[0]{dir} }

sub free_bytes {
    my ($self) = @_;
    return (split ' ', (split /\n/, run('df', '-B1', '--output=avail', $self->{dir}))[1])[0];
}

# Takes all space but so much. In pieces: a file that takes the last block needs some for its own tree.
sub fill {
    my ($self, $left) = @_;
    run('sync', '-f', $self->{dir});    # what is delayed takes its blocks first
    my $file  = "$self->{dir}/ballast";
    my $piece = $self->free_bytes;
    while (1) {
        my $more = $self->free_bytes - ($left // 0);
        $piece = $more if $piece > $more;
        $piece -= $piece % BLOCK;
        last if $piece < BLOCK;
        my $at = -s $file // 0;
        eval { run('fallocate', '-o', $at, '-l', $piece, $file); 1 } or $piece /= 2;
    }
    return;
}

sub make_room { my ($self) = @_; unlink "$self->{dir}/ballast"; return }

sub fail_writeback {
    my ($self) = @_;
    run('sync', '-f', $self->{dir});
    my $left = (split ' ', (split /\n/, run('df', '-B1', '--output=avail', $self->{back}))[1])[0];
    run('fallocate', '-l', $left, "$self->{back}/ballast");
    return;
}

sub heal { my ($self) = @_; unlink "$self->{back}/ballast"; return }

# The kernel found an error and will write no more.
sub make_read_only {
    my ($self) = @_;
    run('mount', '-o', 'remount,errors=remount-ro', $self->{dir});
    my $name = $self->{loop} =~ s{.*/}{}r;
    open my $fh, '>', "/sys/fs/ext4/$name/trigger_fs_error" or croak $!;
    print $fh "test\n";
    close $fh or croak $!;
    return;
}

# Nobody may use it then.
sub mount_read_only { my ($self) = @_; $self->unmount; run('mount', '-t', 'ext4', '-o', 'ro', $self->{loop}, $self->{dir}); return }

sub read_only_view {
    my ($self) = @_;
    my $view = $self->{view} = "$self->{base}/view";
    mkdir $view or croak "$view: $!";
    run('mount', '--bind', $self->{dir}, $view);
    run('mount', '-o', 'remount,bind,ro', $view);
    return $view;
}

sub remove_view {
    my ($self) = @_;
    my $view = delete $self->{view} // return;
    run('umount', $view);
    rmdir $view;
    return;
}

# Checks and mounts again what was read-only or cut off.
sub remount {
    my ($self) = @_;
    $self->unmount;
    system "PATH=\$PATH:/sbin:/usr/sbin e2fsck -fy $self->{loop} > $self->{base}/fsck 2>&1";
    $self->mount;
    return;
}

sub unmount {
    my ($self) = @_;
    comes_true(sub { eval { run('umount', $self->{dir}); 1 } }, 10) or croak $@;
    return;
}

# From one instant on nothing reaches the device; then it is mounted anew.
sub power_cut {
    my ($self) = @_;
    opendir my $dir, $self->{dir} or croak $!;
    my $flags = pack 'L', NO_LOG_FLUSH;
    open my $fh, '<', $self->{dir} or croak $!;
    ioctl $fh, FS_IOC_SHUTDOWN, $flags or croak "shutdown: $!";
    close $fh;
    closedir $dir;
    $self->unmount;
    $self->mount;
    return;
}

sub remove {
    my ($self) = @_;
    eval { $self->remove_view };
    eval { run('umount', $self->{dir}) };
    eval { run('losetup', '-d', $self->{loop}) } if $self->{loop};
    eval { run('umount', $self->{back}) };
    rmdir $_ for $self->{dir}, $self->{back};
    unlink "$self->{base}/fsck";
    rmdir $self->{base};
    return;
}

# Nodes end in their own END block, which runs before: use Node after Disk.
END {
    if ($$ == $main_pid) {
        local $?;
        $_->remove for @all;
    }
}

1;
