package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/transcript"
)

// TestClientTranscripts plays the dialogues in testdata/client. In them C is our
// client, as always, and S the other server; here it is S that the player plays,
// so the letters change places before it reads them.
//
// The client sends the file "mail" to the recipients of the setting "to", as
// often as "messages" says, and then quits. "! verdict n outcome status" is about
// the n-th recipient of the last message, "! error text" about the end of the
// connection.
func TestClientTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/client/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			playClient(t, file)
		})
	}
}

func playClient(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	script, err := transcript.Parse(file, swapSides(data))
	if err != nil {
		t.Fatal(err)
	}
	ln := listen(t)
	run := startClient(t, script, ln.Addr().String())
	serverTLS, _ := certificate(t)
	err = transcript.Play(t.Context(), script, transcript.Server{
		Dial:    func(context.Context, string) (net.Conn, error) { return ln.Accept() },
		Do:      run.check,
		Upgrade: map[string]func(net.Conn) (net.Conn, error){"tls": serverSide(serverTLS)},
	})
	if err != nil {
		t.Fatal(err)
	}
	<-run.done
}

func serverSide(config *tls.Config) func(net.Conn) (net.Conn, error) {
	return func(c net.Conn) (net.Conn, error) {
		s := tls.Server(c, config)
		return s, s.Handshake()
	}
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { ln.Close() })
	return ln
}

var side = regexp.MustCompile(`(?m)^([CS])([:~*+<!.])`)

// swapSides exchanges C and S in the lines of a script, but not in its files.
func swapSides(data []byte) []byte {
	head, files, _ := strings.Cut(string(data), "\n-- ")
	head = side.ReplaceAllStringFunc(head, func(s string) string {
		return map[byte]string{'C': "S", 'S': "C"}[s[0]] + s[1:]
	})
	return []byte(head + "\n-- " + files)
}

// A clientRun is our client at work in a transcript.
type clientRun struct {
	script   *transcript.Script
	done     chan struct{}
	verdicts []verdict
	err      error
}

func startClient(t *testing.T, s *transcript.Script, address string) *clientRun {
	t.Helper()
	run := &clientRun{script: s, done: make(chan struct{})}
	p := run.parcel(t)
	ctx := t.Context()
	go func() {
		defer close(run.done)
		run.err = run.run(ctx, address, p)
	}()
	return run
}

func (r *clientRun) parcel(t *testing.T) *parcel {
	t.Helper()
	mail, _ := r.script.File("mail")
	if n, err := strconv.Atoi(r.script.Setting("size")); err == nil {
		mail = []byte(strings.Repeat("0123456789abcd\r\n", n/16))
	}
	p := newParcel(string(mail), strings.Fields(r.script.Setting("to"))...)
	p.requireTLS, p.eightBit, p.envID = r.script.Has("requiretls"), r.script.Has("8bit"), r.script.Setting("envid")
	if r.script.Has("null") {
		p.from = addr.Address{}
	}
	return p
}

// newParcel makes one from anna to the addresses given, which may have a NOTIFY
// after a slash.
func newParcel(mail string, to ...string) *parcel {
	p := &parcel{from: addr.MustParse("anna@here.example"), size: int64(len(mail))}
	p.open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(mail)), nil }
	for _, a := range to {
		a, notify, _ := strings.Cut(a, "/")
		p.to = append(p.to, stop{address: addr.MustParse(a), notify: notify})
	}
	return p
}

func (r *clientRun) run(ctx context.Context, address string, p *parcel) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	c, err := newClient(ctx, conn, "mail.here.example", r.timeouts())
	if err != nil {
		return err
	}
	defer c.quit()
	if r.script.Has("tls") {
		if err := c.startTLS(ctx, clientTLS(r.script.Setting("tls"))); err != nil {
			return err
		}
	}
	n, _ := strconv.Atoi(r.script.Setting("messages"))
	for range max(n, 1) {
		if r.verdicts, err = c.send(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func clientTLS(name string) *tls.Config {
	pair, err := testCertificate()
	if err != nil {
		return nil
	}
	config := &tls.Config{ServerName: testHosts[0], RootCAs: rootsOf(pair)}
	if name != "" {
		config.ServerName = name
	}
	return config
}

func (r *clientRun) timeouts() Timeouts {
	t := Timeouts{}
	if n, err := strconv.Atoi(r.script.Setting("patience")); err == nil {
		d := time.Duration(n) * time.Millisecond
		t = Timeouts{Handshake: d, Greeting: d, Command: d, DataStart: d, Progress: d, DataEnd: d}
	}
	return t.withDefaults()
}

// check carries out the lines that begin with an exclamation mark.
func (r *clientRun) check(ctx context.Context, verb string, args []string) error {
	select {
	case <-r.done:
	case <-ctx.Done():
		return errors.New("the client has not come to an end")
	}
	switch verb {
	case "verdict":
		return r.checkVerdict(args)
	case "error":
		if want, got := strings.Join(args, " "), fmt.Sprint(r.err); got != want {
			return fmt.Errorf("got error %q, want %q", got, want)
		}
		return nil
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func (r *clientRun) checkVerdict(args []string) error {
	i, err := strconv.Atoi(args[0])
	if err != nil || i >= len(r.verdicts) {
		return fmt.Errorf("there is no verdict %s among %d", args[0], len(r.verdicts))
	}
	v := r.verdicts[i]
	names := map[outcome]string{deferred: "deferred", delivered: "delivered", failed: "failed"}
	got := strings.TrimSpace(strings.Join([]string{names[v.outcome], v.status.String(), v.reply.text}, " "))
	if want := strings.Join(args[1:], " "); got != want {
		return fmt.Errorf("recipient %d: got %q, want %q", i, got, want)
	}
	return nil
}
