package imapd_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/internal/transcript"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
	"github.com/restante/restante/pgp"
)

// TestTranscripts plays the dialogues in testdata. Each has a server of its own
// with the account b@example.org. What a script may ask for:
//
//	with login          connections are logged in when the script begins with them
//	with select NAME    the same, and have the mailbox selected
//	with keeping        they have the password of a device that may not expunge
//	with enable WORDS   the same, after ENABLE WORDS
//	with messages N     N small messages are in INBOX: subject m1, m2, …
//	with quota B N      the account may keep B bytes and N messages
//	with tls            passwords are taken only under TLS
//	with terms          the relay keeps mail for the default terms
//	with push           the relay wakes devices, and says so to Delta Chat
//	with shared X Y     the server has the METADATA entry X, with the words Y
//	with aliases        owners can make addresses
//	with limit X N      a field of imapd.Limits: a number, or a duration
//
// And what the test does in the midst of one:
//
//	! deliver FILE      a message is delivered to b@example.org
//	! arrive SUBJECT    the same with a small one
//	! flag UID FLAG     another session adds a flag to a message of INBOX
//	! expunge UID       another session removes a message of INBOX
//	! others N          another session sees N messages in INBOX, and none marked as deleted
//	! disable           the operator disables the account
//	! password          the operator gives the account another password
func TestTranscripts(t *testing.T) {
	t.Parallel()
	transcript.Run(t, "testdata/*.txtar", func(t *testing.T, s *transcript.Script) transcript.Server {
		p := &play{script: s}
		p.world = newWorldOn(t, p.service, p.options(t))
		p.created = p.account(t, "b@example.org", p.bounds)
		n, _ := strconv.Atoi(s.Setting("messages"))
		for i := range n {
			if err := p.deliver(t.Context(), "b@example.org", message(fmt.Sprint("m", i+1))); err != nil {
				t.Fatal(err)
			}
		}
		_, client := testTLS()
		return transcript.Server{
			Dial: p.dial, TLS: client, Do: p.do,
			Upgrade: map[string]func(net.Conn) (net.Conn, error){"deflate": compressing},
			Vars:    map[string]string{"user": "b@example.org", "secret": p.secret(t)},
		}
	})
}

// play is one transcript being played.
type play struct {
	*world
	script  *transcript.Script
	created mailbox.Created
	device  string // password of a device that may not expunge
}

// secret returns the password that connections log in with.
func (p *play) secret(t *testing.T) string {
	if !p.script.Has("keeping") {
		return p.created.Secret
	}
	x, err := p.Login(t.Context(), mailbox.Login{User: p.created.Address.String(), Secret: p.created.Secret})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if p.device, err = x.AddKeepingDevice(t.Context(), "phone"); err != nil {
		t.Fatal(err)
	}
	return p.device
}

// service sets what the script asks of the service.
func (p *play) service(o *mailbox.Options) {
	if p.script.Has("terms") {
		o.Terms = mailbox.DefaultTerms()
	}
}

// options returns what the script asks of the server.
func (p *play) options(t *testing.T) func(*imapd.Options) {
	return func(o *imapd.Options) {
		if p.script.Has("tls") {
			o.TLS, _ = testTLS()
			o.InsecureAuth = false
		}
		if limit := p.script.Setting("limit"); limit != "" {
			setLimit(t, &o.Limits, limit)
		}
		if p.script.Has("aliases") {
			o.NewAlias = addAlias
		}
		o.Secrets = p.script.Has("secrets")
		if p.script.Has("gate") {
			o.Gate = func(g mailbox.GateOptions) mailbox.Judge {
				return &inspector{pgp.NewInspector(pgp.InspectOptions{Keep: g.Walk.Keep})}
			}
		}
		o.Push = p.script.Has("push")
		o.Chatmail = o.Push
		if name, value, ok := strings.Cut(p.script.Setting("shared"), " "); ok {
			o.Shared = map[string]string{name: value}
		}
	}
}

// inspector is the gate of a relay.
type inspector struct{ *pgp.Inspector }

func (i *inspector) Close() (*mime.Message, error) {
	if _, err := i.Inspector.Close(); err != nil {
		return nil, err
	}
	return i.Message(), nil
}

// addAlias makes an address; a generated one has always the same name.
func addAlias(ctx context.Context, x *mailbox.Session, local string) (addr.Address, error) {
	a, err := addr.Parse(cmp.Or(local, "generated") + "@example.org")
	if err != nil {
		return a, mailbox.ErrName
	}
	return a, x.AddAlias(ctx, a)
}

// bounds gives the account the quota that the script asks for.
func (p *play) bounds(o *mailbox.NewAccountOptions) {
	var q mailbox.Quota
	if n, _ := fmt.Sscan(p.script.Setting("quota"), &q.Bytes, &q.Messages); n == 2 {
		o.Quota = &q
	}
}

// setLimit reads "Field value".
func setLimit(t *testing.T, l *imapd.Limits, setting string) {
	name, value, _ := strings.Cut(setting, " ")
	number, _ := strconv.Atoi(value)
	duration, _ := time.ParseDuration(value)
	switch name {
	case "Line":
		l.Line = number
	case "LineBefore":
		l.LineBefore = number
	case "Message":
		l.Message = int64(number)
	case "PerAccount":
		l.PerAccount = number
	case "Logins":
		l.Logins = number
	case "BadCommands":
		l.BadCommands = number
	case "Greeting":
		l.Greeting = duration
	case "Idle":
		l.Idle = duration
	case "KeepAlive":
		l.KeepAlive = duration
	case "InProgress":
		l.InProgress = duration
	case "Progress":
		l.Progress = duration
	default:
		t.Fatalf("there is no limit %q", name)
	}
}

// dial connects, and brings the connection to where the script begins.
func (p *play) dial(ctx context.Context, _ string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
	if err != nil || !p.script.Has("login") && !p.script.Has("select") && !p.script.Has("enable") {
		return nc, err
	}
	commands := []string{fmt.Sprintf("LOGIN %s %s", p.created.Address, cmp.Or(p.device, p.created.Secret))}
	if words := p.script.Setting("enable"); words != "" {
		commands = append(commands, "ENABLE "+words)
	}
	if name := p.script.Setting("select"); name != "" {
		commands = append(commands, "SELECT "+name)
	}
	for i, command := range commands {
		if err := run(nc, fmt.Sprint("pre", i), command); err != nil {
			nc.Close()
			return nil, err
		}
	}
	return nc, nil
}

// run sends a command and reads up to its answer, which must be OK, and no further.
func run(nc net.Conn, tag, command string) error {
	if _, err := fmt.Fprintf(nc, "%s %s\r\n", tag, command); err != nil {
		return err
	}
	for {
		line, err := readLine(nc)
		if err != nil {
			return err
		}
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			if !strings.HasPrefix(rest, "OK") {
				return fmt.Errorf("%s: %s", command, line)
			}
			return nil
		}
	}
}

// readLine reads a line byte by byte, so that what follows stays unread.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReaderSize(oneByte{r}, 16).ReadString('\n')
	return line, err
}

// oneByte gives a bufio.Reader one byte at a time.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:1]) }

// do carries out the "!" lines.
func (p *play) do(ctx context.Context, verb string, args []string) error {
	switch verb {
	case "deliver":
		data, ok := p.script.File(args[0])
		if !ok {
			return fmt.Errorf("the transcript has no file %q", args[0])
		}
		return p.deliver(ctx, "b@example.org", string(data))
	case "arrive":
		return p.deliver(ctx, "b@example.org", message(args[0]))
	case "flag", "expunge":
		return p.change(ctx, verb, args)
	case "others":
		return p.others(ctx, args[0])
	case "disable":
		return p.SetState(ctx, p.created.Account, mailbox.Disabled)
	case "password":
		_, err := p.SetPassword(ctx, p.created.Account, p.created.Secret, "another one")
		return err
	}
	return fmt.Errorf("the test can't %q", verb)
}

// others looks into INBOX as another session of the account would.
func (p *play) others(ctx context.Context, want string) error {
	x, err := p.Login(ctx, mailbox.Login{User: p.created.Address.String(), Secret: p.created.Secret})
	if err != nil {
		return err
	}
	defer x.Close()
	m, err := x.Status(ctx, "INBOX")
	if err == nil && (strconv.FormatInt(m.Messages, 10) != want || m.Deleted != 0) {
		err = fmt.Errorf("others see %d messages, %d of them deleted", m.Messages, m.Deleted)
	}
	return err
}

// change changes a message as another session of the account would.
func (p *play) change(ctx context.Context, verb string, args []string) error {
	x, err := p.Login(ctx, mailbox.Login{User: p.created.Address.String(), Secret: p.created.Secret})
	if err != nil {
		return err
	}
	defer x.Close()
	uid, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil {
		return err
	}
	set := []mailbox.UIDRange{{Low: mailbox.UID(uid), High: mailbox.UID(uid)}}
	if verb == "expunge" {
		_, err := x.Expunge(ctx, mailbox.Inbox, set, true)
		return err
	}
	flags := map[string]mailbox.Flags{`\Seen`: mailbox.Seen, `\Deleted`: mailbox.Deleted, `\Flagged`: mailbox.Flagged}[args[1]]
	if flags == 0 {
		if flags, err = x.FlagsOf(ctx, args[1:]); err != nil {
			return err
		}
	}
	_, err = x.StoreFlags(ctx, mailbox.Inbox, mailbox.FlagChange{Set: set, Mode: mailbox.AddFlags, Flags: flags})
	return err
}
