# A client of Net::Stomp: subscribes, publishes three messages with receipts, prints what it receives as one line of JSON
# each, and ends with the message "end". Arguments: host, port, version, user, password, where to listen, where to publish.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use Net::Stomp;

my ($host, $port, $version, $user, $password, $back, $there) = @ARGV;
$| = 1;
my $client = Net::Stomp->new({ hostname => $host, port => $port, timeout => 10, reconnect_on_fork => 0 });
my $connected = $client->connect({ login => $user, passcode => $password, 'accept-version' => $version, host => '/' });
die "no CONNECTED\n" unless $connected->command eq 'CONNECTED';
die "version " . $connected->headers->{version} . "\n" unless $connected->headers->{version} eq $version;
$client->subscribe({ destination => $back, id => 'back', ack => 'client-individual' });
for my $number (0 .. 2) {
    die "no receipt\n" unless $client->send_with_receipt({ destination => $there, body => "number $number" });
}
while (my $frame = $client->receive_frame) {
    next unless $frame->command eq 'MESSAGE';
    print encode_json({ body => encode_base64($frame->body, '') }), "\n";
    if ($version eq '1.2') {    # which the library's own ack does not speak
        my $headers = { id => $frame->headers->{ack} };
        $client->send_frame(Net::Stomp::Frame->new({ command => 'ACK', headers => $headers }));
    } else {
        $client->ack({ frame => $frame });
    }
    last if $frame->body eq 'end';
}
$client->disconnect;
