package mta

import (
	"strconv"
	"strings"

	"github.com/emersion/go-smtp"
)

// The engine answers some commands without asking the session. Where it repeats
// what the client sent, or uses a code that its RFC does not have, the wire
// says it better. The tables below list all of these; the keys are the texts of
// go-smtp v0.25.1, and a test looks for each in its source.

// The beginnings of replies that go on with something the client sent.
const (
	echoHello   = "Hello "
	echoMail    = "Roger, accepting mail from"
	echoRcpt    = "I'll make sure"
	echoUnknown = "Syntax errors, "
)

// The engine's replies to a chunk that is not the last, and to what breaks a
// message in chunks off, besides EHLO.
const (
	chunkTaken = "Continue"
	resetDone  = "Session reset"
	tooLarge   = "Max message size exceeded"
)

// breaksOff reports whether, amid chunks, the engine has given the message up.
// Its goroutine for the data may still be about to leave the outcome where the
// engine would take it for the outcome of the next message. So there must be no
// next message on this connection.
func breaksOff(r reply) bool {
	return r.text == resetDone || r.text == tooLarge || strings.HasPrefix(r.text, echoHello)
}

// sequence is the code of a command that is right but comes at the wrong time
// (RFC 5321, 4.2.3); the engine says 502, which means "not implemented".
func sequence(text string) reply { return reply{503, smtp.EnhancedCode{5, 5, 1}, text} }

// rewords maps the engine's texts to the replies that stand for them.
var rewords = map[string]reply{
	"I have successfully done nothing":         {250, smtp.EnhancedCode{2, 0, 0}, "Ok"},
	"Please introduce yourself first.":         sequence("Send EHLO first"),
	"Missing MAIL FROM command.":               sequence("Send MAIL first"),
	"Missing RCPT TO command.":                 sequence("There is no recipient; send RCPT first"),
	"MAIL not allowed during message transfer": sequence("A message is under way; finish it with BDAT LAST or send RSET"),
	"RCPT not allowed during message transfer": sequence("A message is under way; finish it with BDAT LAST or send RSET"),
	"DATA not allowed during message transfer": sequence("A message is under way; finish it with BDAT LAST or send RSET"),
	"TLS not supported":                        sequence("STARTTLS comes first or not at all"),
	"Missing parameter":                        {501, smtp.EnhancedCode{5, 5, 4}, "AUTH needs the name of a mechanism"},
	"Invalid base64 data":                      {501, smtp.EnhancedCode{5, 5, 2}, "This is not base64"},
	"Negotiation cancelled":                    {501, smtp.EnhancedCode{5, 7, 0}, "AUTH was broken off"},
	"Authentication succeeded":                 {235, smtp.EnhancedCode{2, 7, 0}, "Welcome"},
	"Malformed AUTH parameter value":           {501, smtp.EnhancedCode{5, 5, 4}, "The AUTH parameter is malformed"},
	"Malformed AUTH parameter mailbox":         {501, smtp.EnhancedCode{5, 5, 4}, "The AUTH parameter is malformed"},
	"Unknown MAIL FROM argument":               {555, smtp.EnhancedCode{5, 5, 4}, "This parameter of MAIL is not known here"},
	"Unknown RCPT TO argument":                 {555, smtp.EnhancedCode{5, 5, 4}, "This parameter of RCPT is not known here"},
	"Too many errors. Quiting now":             {421, smtp.EnhancedCode{4, 7, 0}, "Too many errors on this connection"},
	"Too long line, closing connection":        {421, smtp.EnhancedCode{4, 7, 0}, "The line is too long"},
	"Internal server error":                    {421, smtp.EnhancedCode{4, 3, 0}, "Internal error"},
}

// reword returns what is sent for a reply of the engine.
func (w *wire) reword(r reply) reply {
	if better, ok := rewords[r.text]; ok {
		return better
	}
	switch {
	case r.code == 250 && strings.HasPrefix(r.text, echoHello):
		return w.hello(strings.Contains(r.text, "\n"))
	case r.code == 250 && strings.HasPrefix(r.text, echoMail):
		return replySender
	case r.code == 250 && strings.HasPrefix(r.text, echoRcpt):
		return replyRecipient
	case r.code == 500 && strings.HasPrefix(r.text, echoUnknown):
		return reply{500, smtp.EnhancedCode{5, 5, 2}, "Command not recognized"}
	}
	return r
}

// hello returns the reply to EHLO, or to HELO, which has no extensions.
func (w *wire) hello(extended bool) reply {
	r := reply{250, smtp.NoEnhancedCode, w.server.hostname}
	if !extended {
		return r
	}
	for _, keyword := range w.extensions() {
		r.text += "\n" + keyword
	}
	return r
}

// extensions lists what EHLO offers. DSN parameters are taken for other
// servers but not offered: there is no report of success for recipients here.
func (w *wire) extensions() []string {
	list := []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING",
		"SIZE " + strconv.FormatInt(w.limits.MaxMessage, 10),
		"LIMITS RCPTMAX=" + strconv.Itoa(w.limits.MaxRecipients)}
	if w.prelude {
		return append(list, "STARTTLS")
	}
	if !w.isSecure() {
		return list
	}
	if w.role == exchange || w.server.remote {
		list = append(list, "REQUIRETLS")
	}
	if w.role == submission {
		list = append(list, "AUTH "+strings.Join(mechanisms(w.offersBinding()), " "))
	}
	return list
}
