// Package queue takes mail out: it brings messages to the servers of other
// domains by SMTP (RFC 5321).
//
// The client (client.go and its neighbours) is our own, because a relay needs
// what a mail program's library has no use for: commands in one write
// (PIPELINING, RFC 2920), bodies in chunks (CHUNKING, 3030), one outcome for each
// recipient, deadlines that move on with progress, and bounds on everything that
// the other side says. It speaks STARTTLS (3207), SIZE (1870), 8BITMIME (6152),
// SMTPUTF8 (6531), DSN (3461), REQUIRETLS (8689), LIMITS (9422) and AUTH PLAIN
// (4954).
//
// The way to a domain (route.go) is found by MX records (mx.go), or goes by a
// relay host, or for .onion names through a SOCKS proxy. A server has to prove its
// name by TLS before it gets mail: by a certificate of an authority, by DANE
// (RFC 7672, dane.go) where DNSSEC vouches for the records, and under the domain's
// own MTA-STS policy (RFC 8461, sts.go). What is asked of it in which case is one
// table (tlspolicy.go).
//
// What is promised:
//
//   - The other side is not trusted: not with the length of its replies, nor with
//     its speed, nor with what it sends between STARTTLS and the handshake.
//   - No address and no name of a server stands in an error. What the other
//     server said is kept for the sender of the message only, cleaned of what
//     identifies others.
package queue
