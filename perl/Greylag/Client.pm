package Greylag::Client;

use strict;
use warnings;

use Carp qw(croak);
use Errno qw(EAGAIN EINPROGRESS EINTR);
use Fcntl qw(O_CREAT O_EXCL O_RDONLY O_WRONLY);
use Socket qw(:DEFAULT :addrinfo IPPROTO_TCP MSG_NOSIGNAL SOCK_CLOEXEC SOCK_NONBLOCK TCP_NODELAY);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

our $VERSION = '0.1.0';

use constant {
    DEADLINE_LEAST => 0.01,
    DEADLINE_MOST  => 240,          # RFC 5321 section 4.5.3.2.3: a client waits 5 minutes
    RESTART        => 1,            # what is tried again while greylagd starts anew
    RETRY          => 0.05,
    QUESTION_MAX   => 60 * 1024,    # the most that greylagd takes by default
    ANSWER_MAX     => 4096,
    TEXT_MAX       => 479,          # with the codes below the 512 octets of an SMTP reply
    HEADER_FILE    => 'GREYLAG',
};

my @ATTRIBUTES = qw(instance queue_id client_address client_port client_name reverse_client_name
    server_address server_port helo_name encryption_protocol sasl_method sasl_username sasl_sender size);

my %VERDICTS = (
    DEFER           => 'defer',
    DEFER_IF_PERMIT => 'defer',
    REJECT          => 'reject',
    PREPEND         => 'header',
);

# Dies on an option that is wrong: that shows when the filter is loaded, not when
# mail comes.
sub new {
    my ($class, %options) = @_;
    my %o = (
        socket     => 'unix:/run/greylag/policy',
        deadline   => 5,
        on_failure => 'pass',
        reply      => '451 4.7.1',
    );

    for (sort keys %options) {
        croak "Greylag::Client: no option is called $_" unless exists $o{$_};
        croak "Greylag::Client: $_ has no value" unless defined $options{$_};
        $o{$_} = $options{$_};
    }
    croak "Greylag::Client: deadline: seconds from 0.01 to 240 are needed"
        unless $o{deadline} =~ /\A(?:\d+(?:\.\d*)?|\.\d+)\z/
        && $o{deadline} >= DEADLINE_LEAST && $o{deadline} <= DEADLINE_MOST;
    croak "Greylag::Client: on_failure: pass or defer is meant?" unless $o{on_failure} =~ /\A(?:pass|defer)\z/;
    my ($code, $enhanced) = $o{reply} =~ /\A(4\d\d)(?: (4\.\d{1,3}\.\d{1,3}))?\z/
        or croak 'Greylag::Client: reply: codes such as "451 4.7.1" are needed';
    return bless {
        address    => _endpoint($o{socket}),
        deadline   => $o{deadline},
        on_failure => $o{on_failure},
        code       => $code,
        enhanced   => defined $enhanced ? $enhanced : '4.7.1',
    }, $class;
}

sub _endpoint {
    my ($where) = @_;

    if (my ($path) = $where =~ m{\A(?:unix:|(?=/))([^\0]{1,107})\z}) {
        return pack_sockaddr_un($path);
    }
    my ($host, $port) = $where =~ /\A(?:inet:)?(\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:.]+):([1-9]\d{0,4})\z/
        or croak 'Greylag::Client: socket: unix:/PATH or inet:ADDRESS:PORT is needed';
    $host =~ tr/[]//d;
    my ($error, $found) = getaddrinfo($host, $port,
        { flags => AI_NUMERICHOST | AI_NUMERICSERV, socktype => SOCK_STREAM });
    croak "Greylag::Client: socket: $where: $error" if $error || $port > 65535;
    return $found->{addr};
}

# --- the question -----------------------------------------------------------------

# A line feed or NUL would end the value.
sub _value {
    my ($value) = @_;

    $value = defined $value ? "$value" : '';
    utf8::encode($value) if utf8::is_utf8($value);
    $value =~ tr/\n\0/?/;
    return $value;
}

# Without <>, a quoted local part (RFC 5321 section 4.1.2) unquoted as Postfix sends it.
sub _address {
    my $address = _value(@_);

    $address =~ s/\A<(.*)>\z/$1/s;
    if ($address =~ /\A"(.*)"(\@[^\@]*)?\z/s) {
        my ($local, $domain) = ($1, defined $2 ? $2 : '');
        $local =~ s/\\(.)/$1/gs;
        $address = $local . $domain;
    }
    return $address;
}

sub _question {
    my (%about) = @_;
    my $stage = _value($about{stage});
    my @lines = (
        'request=smtpd_access_policy',
        'protocol_state=' . ($stage eq '' ? 'RCPT' : $stage),
        'protocol_name=ESMTP',
    );

    for my $name (@ATTRIBUTES) {
        my $value = _value($about{$name});
        push @lines, "$name=$value" if $value ne '';
    }
    push @lines, 'sender=' . _address($about{sender});
    my $recipient = _address($about{recipient});
    push @lines, "recipient=$recipient" if $recipient ne '';
    return join("\n", @lines) . "\n\n";
}

# --- the answer -------------------------------------------------------------------

sub _plain {
    my ($text) = @_;

    $text =~ tr/\x20-\x7e/?/c;
    return substr($text, 0, TEXT_MAX);
}

# What is no verdict of greylag's (HOLD, FILTER, ...) passes.
sub _verdict {
    my ($action) = @_;

    return substr($action, 0, 1) eq '4' ? 'defer' : 'reject' if $action =~ /\A[45]\d\d\z/;
    return $VERDICTS{ uc $action } || 'pass';
}

# Undefined when there is no action in it.
sub _parse {
    my ($frame) = @_;
    my ($line) = $frame =~ /^action=[ \t]*(.*?)[ \t\r]*$/mi or return;
    my ($action, $text) = split / +/, $line, 2;
    my %answer = (verdict => _verdict(defined $action ? $action : ''), failed => 0);

    $text = '' unless defined $text;
    if ($answer{verdict} eq 'header') {
        $answer{verdict} = 'pass';
        $answer{header} = _plain($text) if $text ne '';
        return \%answer;
    }
    if ($answer{verdict} ne 'pass') {
        $answer{code} = $action if $action =~ /\A\d/;
        $answer{enhanced} = $1 if $text =~ s/\A([45]\.\d{1,3}\.\d{1,3})(?: +|\z)//;
    }
    $answer{text} = _plain($text);
    return \%answer;
}

# The answer when nobody answers.
sub _failed {
    my ($self, $why) = @_;
    my %answer = (verdict => $self->{on_failure}, failed => 1, why => _plain($why));

    $answer{text} = 'Service is unavailable, please try again later' if $self->{on_failure} eq 'defer';
    return \%answer;
}

# --- the connection ---------------------------------------------------------------

sub _now { return clock_gettime(CLOCK_MONOTONIC) }

# False when the time is over. The filter's own alarm and signals do not end it.
sub _wait {
    my ($socket, $for_writing, $until) = @_;

    while ((my $left = $until - _now()) > 0) {
        my $bits = '';
        vec($bits, fileno($socket), 1) = 1;
        my $n = $for_writing ? select(undef, $bits, undef, $left) : select($bits, undef, undef, $left);
        return 1 if $n > 0;
        die "cannot wait: $!\n" if $n < 0 && $! != EINTR;
    }
    return 0;
}

sub _connect {
    my ($self, $until) = @_;
    my $family = sockaddr_family($self->{address});

    socket(my $socket, $family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) or return;
    setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1) if $family != AF_UNIX;
    return $socket if connect($socket, $self->{address});
    return unless $! == EINPROGRESS && _wait($socket, 1, $until);
    $! = unpack 'i', getsockopt($socket, SOL_SOCKET, SO_ERROR);
    return $! == 0 ? $socket : undef;
}

# A greylagd that is being restarted is back within a second.
sub _dial {
    my ($self, $until) = @_;
    my $patience = _now() + RESTART;

    $patience = $until if $until < $patience;
    for (;;) {
        my $socket = $self->_connect($until);
        return $socket if $socket;
        die "cannot connect: $!\n" if _now() >= $patience;
        select undef, undef, undef, RETRY;
    }
}

sub _send {
    my ($socket, $question, $until) = @_;

    while ($question ne '') {
        my $n = send($socket, $question, MSG_NOSIGNAL);
        if (defined $n) {
            substr($question, 0, $n) = '';
        }
        elsif ($! != EAGAIN && $! != EINTR) {
            die "cannot send: $!\n";
        }
        elsif (!_wait($socket, 1, $until)) {
            die "no answer in time\n";
        }
    }
    return;
}

sub _receive {
    my ($socket, $until) = @_;
    my ($answer, $end) = ('', -1);

    while (($end = index $answer, "\n\n") < 0) {
        die "an answer without end\n" if length $answer >= ANSWER_MAX;
        die "no answer in time\n" unless _wait($socket, 0, $until);
        my $ok = defined recv($socket, my $bytes, ANSWER_MAX, 0);
        die "cannot receive: $!\n" unless $ok || $! == EAGAIN || $! == EINTR;
        die "the connection was closed without an answer\n" if $ok && $bytes eq '';
        $answer .= $bytes if $ok;
    }
    return _parse(substr $answer, 0, $end) || die "an answer without action\n";
}

sub _try {
    my ($self, $question, $until) = @_;

    $self->{connection} ||= $self->_dial($until);
    _send($self->{connection}, $question, $until);
    return _receive($self->{connection}, $until);
}

# On a connection that was kept greylagd may have gone meanwhile: then once more
# on a new one.
sub _exchange {
    my ($self, $question) = @_;
    my $until = _now() + $self->{deadline};
    my $kept  = defined $self->{connection};
    my ($answer, $why);

    for (;;) {
        return $answer if eval { $answer = $self->_try($question, $until); 1 };
        $why = $@;
        delete $self->{connection};
        last if !$kept || _now() >= $until;
        $kept = 0;
    }
    chomp $why;
    return $self->_failed($why);
}

sub _ask {
    my ($self, %about) = @_;
    my $question = _question(%about);

    return $self->_failed('the question is too long') if length $question > QUESTION_MAX;
    # Two processes on one connection would read each other's answers.
    delete $self->{connection} if defined $self->{process} && $self->{process} != $$;
    $self->{process} = $$;
    return $self->_exchange($question);
}

sub ask {
    my ($self, @about) = @_;
    my $answer;

    local ($@, $!, $?);
    # A handler of the filter's would see what is caught here.
    local $SIG{__DIE__} = 'DEFAULT';
    return $answer if eval {
        die "attributes are pairs of name and value\n" if @about % 2;
        $answer = $self->_ask(@about);
        1;
    };
    delete $self->{connection};
    return $self->_failed("$@");
}

# --- MIMEDefang -------------------------------------------------------------------

# The functions and variables of mimedefang.pl are in the package main.
sub _main {
    my ($name) = @_;

    no strict 'refs';
    return ${"main::$name"};
}

sub _call {
    my ($name, @arguments) = @_;
    my $function = main->can($name) or return;

    return eval { $function->(@arguments); 1 };
}

sub _complain {
    my ($self, $answer) = @_;
    my $outcome = $self->{on_failure} eq 'defer' ? 'deferred' : 'passed';

    _call('md_syslog', 'warning', "greylag: $answer->{why}; mail is $outcome") if $answer->{failed};
    return $answer;
}

# The folder that the message has to itself from MAIL to its end, the same for
# every worker that has to do with it. None in filter_relay and filter_helo.
sub _folder {
    my $folder = _main('CWD');

    return defined $folder && $folder =~ m{/mdefang-[^/]+\z} ? $folder : undef;
}

# What is the same for all questions about one message. Postfix has no queue id
# before it took a recipient, and another one is worse than none.
sub _instance {
    my ($ip, $sender) = @_;
    my ($queue_id, $folder) = (_main('QueueID'), _folder());

    return "$1.$ip" if defined $folder && $folder =~ m{([^/]{1,100})\z};
    return "$queue_id.$ip" if defined $queue_id && $queue_id ne '' && $queue_id ne 'NOQUEUE';
    return substr "$$.$ip.$sender", 0, 200;
}

# Macros are known after read_commands_file(); without its file that ends the worker.
sub _login {
    no warnings 'once';
    _call('read_commands_file') if !%main::SendmailMacros && defined _folder() && -r 'COMMANDS';
    return $main::SendmailMacros{auth_authen};
}

# The MTA names a client in brackets when its name is not confirmed (xxfi_connect
# of libmilter).
sub _confirmed {
    my ($hostname, $ip) = @_;

    return $hostname =~ /\A\[|\Aunknown\z/i || $hostname eq $ip ? '' : $hostname;
}

sub _about {
    my ($sender, $ip, $hostname, $helo) = map { defined $_ ? $_ : '' } @_;

    return (
        client_address => $ip,
        client_name    => _confirmed($hostname, $ip),
        helo_name      => $helo,
        sender         => $sender,
        instance       => _instance($ip, $sender),
        sasl_username  => _login(),
    );
}

# (text, code, enhanced code), as MIMEDefang wants them.
sub _reply {
    my ($self, $answer) = @_;
    my ($code, $enhanced) = $answer->{verdict} eq 'defer' ? @$self{qw(code enhanced)} : ('554', '5.7.1');
    my $own = $answer->{enhanced};
    my $text = defined $answer->{text} && $answer->{text} ne '' ? $answer->{text} : 'Please try again later';

    $code = $answer->{code} if defined $answer->{code};
    # MIMEDefang takes no code of another class than the verdict's.
    $enhanced = $own if defined $own && substr($own, 0, 1) eq substr($code, 0, 1);
    return ($text, $code, $enhanced);
}

# Another worker may get the message: what is due to it waits in its folder.
sub _keep_header {
    my ($header) = @_;
    my $folder = _folder();

    return unless defined $folder && defined $header;
    # There already for a second recipient: one header is enough.
    sysopen my $file, "$folder/" . HEADER_FILE, O_WRONLY | O_CREAT | O_EXCL, 0600 or return;
    print {$file} $header;
    close $file;
    return;
}

sub _judge_recipient {
    my ($self, $recipient, $sender, $ip, $hostname, $helo, $mailer) = @_;

    # The MTA refuses the recipient itself.
    return ('CONTINUE', 'ok') if defined $mailer && $mailer eq 'error';
    my $answer = $self->_complain(
        $self->ask(_about($sender, $ip, $hostname, $helo), recipient => $recipient, stage => 'RCPT'));
    return ('TEMPFAIL', $self->_reply($answer)) if $answer->{verdict} eq 'defer';
    return ('REJECT', $self->_reply($answer)) if $answer->{verdict} eq 'reject';
    _keep_header($answer->{header});
    return ('CONTINUE', 'ok');
}

sub filter_recipient {
    my ($self, $recipient, $sender, $ip, $hostname, undef, $helo, $mailer) = @_;
    my @verdict;

    local ($@, $!, $?);
    local $SIG{__DIE__} = 'DEFAULT';
    return @verdict
        if eval { @verdict = $self->_judge_recipient($recipient, $sender, $ip, $hostname, $helo, $mailer); 1 };
    return ('CONTINUE', 'ok') if $self->{on_failure} eq 'pass';
    return ('TEMPFAIL', $self->_reply($self->_failed("$@")));
}

sub header {
    my $folder = _folder();

    local $!;
    return unless defined $folder;
    sysopen my $file, "$folder/" . HEADER_FILE, O_RDONLY or return;
    return unless sysread $file, my $header, ANSWER_MAX;
    return $header =~ /\A([!-9;-~]+):[ \t]*(.+)\z/ ? ($1, $2) : ();
}

# True when the message was refused.
sub _judge_message {
    my ($self) = @_;
    my $sender = _main('Sender');

    return 0 unless defined $sender && _address($sender) eq '';
    my $answer = $self->_complain($self->ask(
        _about($sender, _main('RelayAddr'), _main('RelayHostname'), _main('Helo')), stage => 'DATA'));
    _keep_header($answer->{header});
    return _call('action_tempfail', $self->_reply($answer)) if $answer->{verdict} eq 'defer';
    return _call('action_bounce', $self->_reply($answer)) if $answer->{verdict} eq 'reject';
    return 0;
}

sub filter_message {
    my ($self) = @_;
    my $refused;

    local ($@, $!, $?);
    local $SIG{__DIE__} = 'DEFAULT';
    return 1 if eval { $refused = $self->_judge_message; 1 } && $refused;
    my ($name, $value) = $self->header;
    _call('action_insert_header', $name, $value) if defined $name;
    return 0;
}

1;
