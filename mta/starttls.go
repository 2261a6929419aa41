package mta

import (
	"bytes"
	"crypto/tls"
	"errors"
	"strings"

	"github.com/emersion/go-smtp"
)

var (
	errTLSFirst      = errors.New("mta: STARTTLS is needed first")
	errHelloArgument = errors.New("mta: EHLO without a name")
)

// maxEarlyLine bounds a command before TLS; RFC 5321, 4.5.3.1.4 asks for 512.
const maxEarlyLine = 2048

// beforeTLS talks with the client until it sends STARTTLS (RFC 3207). A
// submission client gets nowhere without it. Another server may send mail in
// plain text, as long as not every server has TLS: its first other command goes
// to the engine, and what follows too.
//
// The engine comes to know of none of this: it starts with a connection that is
// secure or stays plain, and with no state that was made before TLS.
func (w *wire) beforeTLS() error {
	w.prelude = true
	hello := ""
	for {
		line, err := w.earlyLine()
		if err != nil {
			return err
		}
		verb, argument, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch verb = strings.ToUpper(verb); {
		case verb == "STARTTLS":
			return w.startTLS()
		case verb == "EHLO" || verb == "HELO":
			if w.greet(verb, argument) {
				hello = verb + " " + clientName(argument) + "\r\n"
			}
		case w.role == exchange && !isFiller(verb):
			return w.handOver(hello, line)
		default:
			w.earlyReply(verb)
		}
		if w.err != nil {
			return w.err
		}
	}
}

// isFiller reports whether a command says nothing that the engine must know.
func isFiller(verb string) bool { return verb == "NOOP" || verb == "RSET" || verb == "QUIT" }

// earlyLine returns the next command with its line end.
func (w *wire) earlyLine() (string, error) {
	for {
		if n := bytes.IndexByte(w.early, '\n') + 1; n > 0 {
			line := string(w.early[:n])
			w.early = w.early[n:]
			return line, nil
		}
		if len(w.early) > maxEarlyLine {
			return "", w.end(errLongCommand)
		}
		var chunk [512]byte
		n, err := w.receive(chunk[:])
		if err != nil {
			return "", err
		}
		w.early = append(w.early, chunk[:n]...)
	}
}

// clientName returns the name that a client gives itself, or another one if it is
// no name: the engine would take it apart.
func clientName(argument string) string {
	if name, err := domainOf(strings.TrimSpace(argument)); err == nil {
		return name
	}
	return "client"
}

// greet answers EHLO and HELO. The name is not looked at here, and forgotten with
// the connection.
func (w *wire) greet(verb, argument string) bool {
	if strings.TrimSpace(argument) == "" {
		w.earlyError(errHelloArgument)
		return false
	}
	w.tell(w.hello(verb == "EHLO"))
	return true
}

// earlyReply answers the other commands. "The server MUST return the reply code
// 530 to every command other than NOOP, EHLO, STARTTLS, or QUIT" (RFC 3207, 4);
// RSET does no harm.
func (w *wire) earlyReply(verb string) {
	switch verb {
	case "NOOP", "RSET":
		w.tell(reply{250, smtp.EnhancedCode{2, 0, 0}, "Ok"})
	case "QUIT":
		w.tell(reply{221, smtp.EnhancedCode{2, 0, 0}, "Bye"})
		w.fail(errLost)
	default:
		w.earlyError(errTLSFirst)
	}
}

func (w *wire) earlyError(err error) {
	r := replyTo(err, outcomes)
	w.tell(r)
}

// startTLS makes the connection secure. Bytes that came with the command are
// not from the TLS client: somebody between may have put them there.
func (w *wire) startTLS() error {
	if len(w.early) > 0 {
		return w.end(errAfterTLS)
	}
	w.tell(reply{220, smtp.EnhancedCode{2, 0, 0}, "Ready to start TLS"})
	w.flush()
	w.prelude, w.early = false, nil
	return w.handshake(tls.Server(w.conn, w.server.tls))
}

// handOver gives the engine the command that belongs to it, after a greeting in
// the client's stead whose answer the client has had.
func (w *wire) handOver(hello, line string) error {
	w.early = append([]byte(hello+line), w.early...)
	w.prelude = false
	if hello != "" {
		w.mute = 1
	}
	return nil
}
