package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
)

// requestSuffix makes the address to which the user sends commands about a group of
// that of the group, as for mailing lists (RFC 2142, 6): family-request@group.local.
const requestSuffix = "-request"

// command is a mail of the user's client to the address for commands of a group. The
// Subject says what to do:
//
//	new ADDRESS…       makes the group and takes people into it
//	add ADDRESS…       takes people in
//	remove ADDRESS…    takes people out
//	name NAME          gives it another name
//	leave              takes the user out
//	members            tells who is in it
//
// The answer is a mail in INBOX. No such mail leaves this machine.
type command struct {
	group string // the alias
	verb  string
	rest  string
}

// command returns the command that the mail is, if it is one.
func (o *outgoing) command() (command, bool) {
	if len(o.to) != 1 || !isGroupAddress(o.to[0]) {
		return command{}, false
	}
	group, ok := strings.CutSuffix(strings.ToLower(o.to[0].Local()), requestSuffix)
	if !ok || group == "" {
		return command{}, false
	}
	verb, rest, _ := strings.Cut(decodeWords(o.message.Envelope.Subject), " ")
	return command{group, strings.ToLower(verb), strings.TrimSpace(rest)}, true
}

// obey carries out a command and answers it. Only trouble with the vault or the local
// store is an error: what the user has to mend stands in the answer.
func (g *Gateway) obey(ctx context.Context, c command) error {
	text, err := g.carryOut(ctx, c)
	switch {
	case isUnsendable(err), isGroupError(err):
		text = "This could not be done: " + err.Error()
	case err != nil:
		return err
	}
	return g.local.Deliver(ctx, strings.NewReader(c.answer(g.local.User, text, g.o.Now())))
}

// errCommand is about the text of a command.
var errCommand = errors.New("this is no command. In the Subject say one of: " +
	"new ADDRESS…, add ADDRESS…, remove ADDRESS…, name NAME, leave, members")

func isGroupError(err error) bool {
	for _, e := range []error{ErrNoGroup, ErrEnded, ErrMember, ErrGroupFull, ErrGroupName, errCommand} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (g *Gateway) carryOut(ctx context.Context, c command) (string, error) {
	people, err := c.people()
	if err != nil {
		return "", err
	}
	switch c.verb {
	case "new":
		var x Group
		x, err = g.NewGroup(ctx, c.group, people...)
		c.group = x.Alias
	case "add":
		for _, a := range people {
			err = errors.Join(err, g.AddMember(ctx, c.group, a))
		}
	case "remove":
		for _, a := range people {
			err = errors.Join(err, g.RemoveMember(ctx, c.group, a))
		}
	case "name":
		err = g.RenameGroup(ctx, c.group, c.rest)
	case "leave":
		if err = g.RemoveMember(ctx, c.group, g.upstream.Address); err == nil {
			return "You have left the group.", nil
		}
	case "members":
	default:
		err = errCommand
	}
	if err != nil {
		return "", err
	}
	return g.describe(c.group)
}

// people reads the addresses after a verb that takes some.
func (c command) people() ([]addr.Address, error) {
	if c.verb != "new" && c.verb != "add" && c.verb != "remove" {
		return nil, nil
	}
	var list []addr.Address
	for _, word := range strings.FieldsFunc(c.rest, func(r rune) bool { return strings.ContainsRune(" ,;<>", r) }) {
		a, err := addr.Parse(word)
		if err != nil {
			return nil, errCommand
		}
		list = append(list, a)
	}
	if len(list) == 0 && c.verb != "new" {
		return nil, errCommand
	}
	return list, nil
}

// describe says who is in a group.
func (g *Gateway) describe(group string) (string, error) {
	x, err := g.groups.get(group)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("The group %s has the address %s. In it are:\n", x.Name, x.Address())
	for _, m := range x.Members() {
		text += "\n    " + m.Address.String()
	}
	return text + "\n", nil
}

// answer returns the mail that answers the command.
func (c command) answer(user, text string, now time.Time) string {
	return "From: Restante gateway <" + c.group + requestSuffix + "@" + groupDomain + ">\r\n" +
		"To: <" + user + ">\r\n" +
		"Subject: " + encodeWords("Re: "+oneLine(c.verb+" "+c.rest)) + "\r\n" +
		"Date: " + now.UTC().Format(time.RFC1123Z) + "\r\n" +
		"Message-ID: <" + rand.Text() + "@localhost>\r\n" +
		"Auto-Submitted: auto-replied\r\n" +
		statusField + ": gateway\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
		crlf(text) + "\r\n"
}
