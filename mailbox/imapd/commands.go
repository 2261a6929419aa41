package imapd

import (
	"github.com/emersion/go-imap/v2"
	"time"

	"github.com/restante/restante/mailbox/imapd/wire"
)

// command is one row of the table: when it may run, what the client may be told
// of other sessions' changes when it ends, and what it does.
//
// run reads all arguments, ending with d.End, and then acts. A nil error is OK,
// with what the method put into conn.done; any other becomes NO or BAD in
// status.go. The connection ends after a command that has set conn.over.
//
// Untagged responses are written to conn.w as they come, each with conn.sent at
// its end, and nothing that can fail between its parts.
type command struct {
	states state
	tell   told
	run    func(*conn, *wire.Decoder) error
}

// told says what a client may be told at the end of a command.
type told uint8

const (
	everything  told = iota
	noExpunges       // RFC 9051, 7.5.1: sequence numbers must hold during these
	nothingElse      // the command has told all there is, or left the mailbox
)

// commands is every command there is.
var commands = map[string]command{
	"CAPABILITY":     {anyState, everything, (*conn).capability},
	"NOOP":           {anyState, everything, (*conn).noop},
	"LOGOUT":         {anyState, nothingElse, (*conn).runLogout},
	"STARTTLS":       {notAuthenticated, nothingElse, (*conn).startTLS},
	"AUTHENTICATE":   {notAuthenticated, nothingElse, (*conn).authenticate},
	"LOGIN":          {notAuthenticated, nothingElse, (*conn).runLogin},
	"ENABLE":         {loggedIn, everything, (*conn).enable},
	"SELECT":         {loggedIn, nothingElse, (*conn).selectRW},
	"EXAMINE":        {loggedIn, nothingElse, (*conn).examine},
	"CREATE":         {loggedIn, everything, (*conn).create},
	"DELETE":         {loggedIn, everything, (*conn).delete},
	"RENAME":         {loggedIn, everything, (*conn).rename},
	"SUBSCRIBE":      {loggedIn, everything, (*conn).subscribe},
	"UNSUBSCRIBE":    {loggedIn, everything, (*conn).unsubscribe},
	"LIST":           {loggedIn, everything, (*conn).list},
	"LSUB":           {loggedIn, everything, (*conn).lsub},
	"NAMESPACE":      {loggedIn, everything, (*conn).namespace},
	"STATUS":         {loggedIn, everything, (*conn).status},
	"APPEND":         {loggedIn, everything, (*conn).append},
	"IDLE":           {loggedIn, everything, (*conn).idle},
	"ID":             {anyState, everything, (*conn).runID},
	"COMPRESS":       {loggedIn, everything, (*conn).compress},
	"GETQUOTA":       {loggedIn, everything, (*conn).getQuota},
	"GETQUOTAROOT":   {loggedIn, everything, (*conn).getQuotaRoot},
	"NOTIFY":         {loggedIn, everything, (*conn).notify},
	"GETMETADATA":    {loggedIn, everything, (*conn).getMetadata},
	"SETMETADATA":    {loggedIn, everything, (*conn).setMetadata},
	"CLOSE":          {selectedState, nothingElse, (*conn).close},
	"UNAUTHENTICATE": {loggedIn, nothingElse, (*conn).unauthenticate},
	"UNSELECT":       {selectedState, nothingElse, (*conn).unselect},
	"CHECK":          {selectedState, everything, (*conn).noop},
	"EXPUNGE":        {selectedState, everything, (*conn).expunge},
	"UID EXPUNGE":    {selectedState, everything, (*conn).uidExpunge},
	"ESEARCH":        {loggedIn, noExpunges, (*conn).multiSearch},
	"UID ESEARCH":    {loggedIn, everything, (*conn).multiSearch}, // as the examples of RFC 7377, 2 have it
	"SEARCH":         {selectedState, noExpunges, (*conn).search},
	"UID SEARCH":     {selectedState, everything, (*conn).uidSearch},
	"FETCH":          {selectedState, noExpunges, (*conn).fetch},
	"UID FETCH":      {selectedState, everything, (*conn).uidFetch},
	"STORE":          {selectedState, noExpunges, (*conn).store},
	"UID STORE":      {selectedState, everything, (*conn).uidStore},
	"SORT":           {selectedState, noExpunges, (*conn).sort},
	"UID SORT":       {selectedState, everything, (*conn).uidSort},
	"THREAD":         {selectedState, noExpunges, (*conn).thread},
	"UID THREAD":     {selectedState, everything, (*conn).uidThread},
	"REPLACE":        {selectedState, everything, (*conn).replace},
	"UID REPLACE":    {selectedState, everything, (*conn).uidReplace},
	"COPY":           {selectedState, everything, (*conn).copy},
	"UID COPY":       {selectedState, everything, (*conn).uidCopy},
	"MOVE":           {selectedState, everything, (*conn).move},
	"UID MOVE":       {selectedState, everything, (*conn).uidMove},
}

// command runs one command. Only an error that ends the connection is returned.
func (c *conn) command(d *wire.Decoder) error {
	if d.AtEnd() && d.Err() == nil {
		return nil // an empty line harms nobody, and some clients send one
	}
	tag := d.Tag()
	if err := d.Err(); err != nil {
		return c.refuse("", err)
	}
	d.SP()
	c.srv.counts.commands.Add(1)
	name, cmd := c.lookup(d)
	c.tag, c.done, c.own = tag, completion{}, own{}
	c.startProgress()
	began := time.Now()
	err := cmd.run(c, d)
	c.debug(name, began, err)
	return c.conclude(name, cmd.tell, err)
}

// debug logs a command of an account that the operator wants to see: its name and
// what came of it, and nothing of what it is about.
func (c *conn) debug(name string, began time.Time, err error) {
	if c.session == nil || !c.session.Debugged() {
		return
	}
	done := err == nil || err == errIdling
	c.log().Info("imap command", "account", c.session.Account(), "name", name, "done", done, "milliseconds", time.Since(began).Milliseconds())
}

// conclude ends a command whose outcome is err: it tells what has changed, and
// answers.
func (c *conn) conclude(name string, t told, err error) error {
	if lost := c.lost(); lost != nil {
		return lost
	}
	if err == errIdling {
		return err
	}
	if lost := c.tell(t); lost != nil {
		return lost
	}
	c.own = own{}
	if err != nil {
		return c.refuse(c.tag, err)
	}
	return c.complete(name)
}

// lookup reads the name of a command and finds it. What is not there, or not now,
// is a command too: one that fails.
func (c *conn) lookup(d *wire.Decoder) (string, command) {
	name := d.Keyword()
	if name == "UID" {
		d.SP()
		name = "UID " + d.Keyword()
	}
	if err := d.Err(); err != nil {
		return "", failing(err)
	}
	cmd, ok := commands[name]
	if !ok {
		return "", failing(errUnknownCommand)
	}
	if c.enabled.uidOnly && numbered[name] {
		return name, failing(errUIDRequired)
	}
	if cmd.states&c.state == 0 {
		return name, failing(wrongState(c.state, cmd.states))
	}
	return name, cmd
}

func failing(err error) command {
	return command{run: func(*conn, *wire.Decoder) error { return err }, tell: noExpunges}
}

// complete writes the tagged OK.
func (c *conn) complete(name string) error {
	c.bad = 0
	text := c.done.text
	if text == "" {
		text = name + " completed"
	}
	c.w.StartStatus(c.tag, imap.StatusResponseTypeOK)
	if c.done.code != nil {
		c.done.code()
	}
	c.w.Text(text)
	if err := c.w.CRLF(); err != nil {
		// What the client asked for was done; only the details can't be told.
		c.sent(err)
		_ = c.w.Status(c.tag, imap.StatusResponseTypeOK, "", text) // c.w remembers
	}
	if c.done.then == nil {
		return c.w.Err()
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	return c.done.then()
}

// refuse writes the tagged NO or BAD for err, and counts what makes no sense.
func (c *conn) refuse(tag string, err error) error {
	s := c.statusOf(err)
	if err := c.answer(tag, s); err != nil {
		return err
	}
	if s.typ != imap.StatusResponseTypeBad {
		c.bad = 0
		return nil
	}
	limit := c.srv.o.Limits.BadCommands
	if c.state == notAuthenticated {
		limit = (limit + 1) / 2
	}
	if c.bad++; c.bad >= limit {
		return byeNonsense
	}
	return nil
}

// answer writes the tagged NO or BAD.
func (c *conn) answer(tag string, s *statusError) error {
	c.w.StartStatus(tag, s.typ)
	if s.code != "" {
		c.w.OpenCode(s.code)
		if len(s.args) > 0 {
			c.w.Open()
			for _, a := range s.args {
				c.w.Astring(a)
			}
			c.w.Close()
		}
		if s.more != "" {
			c.w.Word(s.more)
		}
		c.w.CloseCode()
	}
	c.w.Text(s.text)
	return c.w.CRLF()
}
