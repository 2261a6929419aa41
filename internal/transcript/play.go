package transcript

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"
)

// Play runs the script against the server and returns nil when every line came
// as written. A failure names the script's file and line, shows what was wanted
// and what came, and the dialogue up to there. Play closes the connections it
// dialled, also when it fails; when ctx ends, waiting steps end with a failure.
func Play(ctx context.Context, script *Script, srv Server) error {
	p := &player{script: script, srv: srv, timeout: srv.Timeout, vars: maps.Clone(srv.Vars), conns: map[string]*conn{}}
	if p.timeout == 0 {
		p.timeout = DefaultTimeout
	}
	if p.vars == nil {
		p.vars = map[string]string{}
	}
	defer p.closeAll()
	for _, st := range script.steps {
		if err := p.play(ctx, st); err != nil {
			return fmt.Errorf("%s:%d: %w%s", script.Name, st.line, err, p.log.text())
		}
	}
	for _, c := range p.conns {
		if rest := c.unread(); rest != "" && !c.closed {
			return fmt.Errorf("%s: the script ends, but the server%s had said more\n  got:  %s%s", script.Name, c.name, shown(rest), p.log.text())
		}
	}
	return nil
}

// A player is one run of one script.
type player struct {
	script  *Script
	srv     Server
	timeout time.Duration
	vars    map[string]string
	conns   map[string]*conn
	log     dialogue
}

// play carries out one step.
func (p *player) play(ctx context.Context, st step) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	if st.verb == callTest {
		return p.callTest(ctx, st)
	}
	c, err := p.conn(ctx, st.conn)
	if err != nil {
		return err
	}
	defer c.guard(ctx)()
	switch st.verb {
	case sendLine, sendRaw, sendFile, sendMail:
		return p.send(c, st)
	case closeClient:
		p.log.add(st.line, st.raw)
		c.close()
		return nil
	case upgrade:
		return p.upgrade(ctx, c, st)
	case wantLine, wantMatch:
		return p.wantLine(c, st)
	case wantSkipped:
		c.skip = true
		return nil
	case wantFile:
		return p.wantFile(c, st)
	case wantClosed:
		return p.wantClosed(c, st)
	}
	panic("restante: internal error: unknown step of a transcript")
}

// conn returns the connection of this name and dials it on its first use.
func (p *player) conn(ctx context.Context, name string) (*conn, error) {
	if c, ok := p.conns[name]; ok {
		if c.closed {
			return nil, fmt.Errorf("the connection %q has been closed; give the next one another name", name)
		}
		return c, nil
	}
	nc, err := p.srv.Dial(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("dial connection %q: %w", name, err)
	}
	p.conns[name] = newConn(name, nc)
	return p.conns[name], nil
}

func (p *player) closeAll() {
	for _, c := range p.conns {
		c.close()
	}
}

// callTest passes a "!" line to the test.
func (p *player) callTest(ctx context.Context, st step) error {
	text, err := p.expand(st.text, itself)
	if err != nil {
		return err
	}
	p.log.add(st.line, "! "+text)
	if p.srv.Do == nil {
		return fmt.Errorf("the test has no Server.Do for %q", st.raw)
	}
	words := strings.Fields(text)
	return p.srv.Do(ctx, words[0], words[1:])
}

// send carries out the steps in which the client writes.
func (p *player) send(c *conn, st step) error {
	data, err := p.outgoing(st)
	if err != nil {
		return err
	}
	p.log.add(st.line, fmt.Sprintf("C%s: %s", c.name, shown(string(data))))
	if _, err := c.nc.Write(data); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// outgoing returns the bytes that a step sends.
func (p *player) outgoing(st step) ([]byte, error) {
	switch st.verb {
	case sendFile:
		return p.script.files[st.text], nil
	case sendMail:
		return dotStuffed(p.script.files[st.text]), nil
	}
	text, err := p.expand(st.text, itself)
	if err == nil && st.verb == sendRaw {
		text, err = unescape(text)
	}
	if st.verb == sendLine {
		text += "\r\n"
	}
	return []byte(text), err
}

// upgrade hands the connection over to TLS or to a function of the test.
func (p *player) upgrade(ctx context.Context, c *conn, st step) error {
	p.log.add(st.line, st.raw)
	if rest := c.unread(); rest != "" {
		return fmt.Errorf("the server sent data ahead of the hand-over\n  got:  %s", shown(rest))
	}
	up := p.srv.Upgrade[st.text]
	if st.text == "starttls" && up == nil {
		up = func(nc netConn) (netConn, error) { return handshake(ctx, nc, p.srv.TLS) }
	}
	if up == nil {
		return fmt.Errorf("the test has no Server.Upgrade for %q", st.raw)
	}
	nc, err := up(c.nc)
	if err != nil {
		return fmt.Errorf("%s: %w", st.text, err)
	}
	c.use(nc)
	return nil
}

// wantLine reads one line, or with S* before it as many as it takes, and
// compares.
func (p *player) wantLine(c *conn, st step) error {
	match, want, err := p.matcher(st)
	if err != nil {
		return err
	}
	for {
		line, err := c.readLine()
		if err != nil {
			return fmt.Errorf("the server%s did not send the line: %w\n  want: %s\n  got:  %s", c.name, err, want, shown(line))
		}
		p.log.add(st.line, fmt.Sprintf("S%s: %s", c.name, shown(line)))
		text, ended := strings.CutSuffix(line, "\r\n")
		if !ended {
			return fmt.Errorf("the line of the server%s does not end in CRLF\n  want: %s\n  got:  %s", c.name, want, shown(line))
		}
		if match(text) {
			c.skip = false
			return nil
		}
		if !c.skip {
			return fmt.Errorf("the server%s sent another line\n  want: %s\n  got:  %s", c.name, want, shown(text))
		}
	}
}

// matcher returns the test for the wanted line, and its wording for failures.
func (p *player) matcher(st step) (match func(string) bool, want string, err error) {
	if st.verb == wantLine {
		want, err = p.expand(st.text, itself)
		return func(line string) bool { return line == want }, shown(want), err
	}
	want, err = p.expand(st.text, regexp.QuoteMeta)
	if err != nil {
		return nil, "", err
	}
	re, err := regexp.Compile(`^(?:` + want + `)$`)
	if err != nil {
		return nil, "", err
	}
	return func(line string) bool {
		m := re.FindStringSubmatch(line)
		if m != nil {
			p.capture(re, m)
		}
		return m != nil
	}, want, nil
}

// wantFile reads as many bytes as the file has and compares.
func (p *player) wantFile(c *conn, st step) error {
	want := string(p.script.files[st.text])
	got, err := c.readN(len(want))
	p.log.add(st.line, fmt.Sprintf("S%s: %s", c.name, shown(got)))
	if err != nil {
		return fmt.Errorf("the server%s sent %d of the %d bytes of %s: %w\n  got:  %s", c.name, len(got), len(want), st.text, err, shown(got))
	}
	if got != want {
		return fmt.Errorf("the server%s sent other bytes than %s\n  want: %s\n  got:  %s", c.name, st.text, shown(want), shown(got))
	}
	return nil
}

// wantClosed waits for the server's close.
func (p *player) wantClosed(c *conn, st step) error {
	line, err := c.readLine()
	if line != "" {
		return fmt.Errorf("the server%s sent more instead of closing\n  got:  %s", c.name, shown(line))
	}
	if !isClosed(err) {
		return fmt.Errorf("the server%s did not close the connection: %w", c.name, err)
	}
	p.log.add(st.line, st.raw)
	c.close()
	return nil
}
