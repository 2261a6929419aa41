// Package queue takes mail out: it brings messages to the servers of other
// domains by SMTP (RFC 5321).
//
//	worker, err := queue.New(queue.Options{Outbox: service.Outbox(), Hostname: host, Domain: domain, Resolver: resolver, Log: log})
//	group.Go(func() error { return worker.Run(ctx) })
//
// The queue itself is in the store (mailbox.QueueStore). A Worker (worker.go)
// leases a domain that has mail waiting, works on its letters with a few
// connections (serve.go, attempt.go), and puts down what became of each recipient
// together with the reports about it (outcome.go, settle.go, report.go). A letter
// is removed when that is durable, so that a crash at any moment loses nothing and
// repeats at most what was under way.
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
// Relays that take mail over HTTPS, as chatmail's do among themselves, get it so
// (mxdeliv.go), and others by SMTP.
//
// What is promised:
//
//   - A message that was taken for another domain is delivered there, or its sender
//     is told. The sender hears of trouble after an hour and after half a day, and
//     has the message back after two days. The null sender hears nothing.
//   - The other side is not trusted: not with the length of its replies, nor with
//     its speed, nor with what it sends between STARTTLS and the handshake.
//   - No address and no name of a server stands in an error. What the other
//     server said is kept for the sender of the message only, cleaned of what
//     identifies others.
package queue
