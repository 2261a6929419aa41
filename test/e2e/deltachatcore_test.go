//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// deltaChatVersion is the release of Delta Chat's core that the tests are for.
const deltaChatVersion = "2.62.0"

// core is a running Delta Chat core, the part of every Delta Chat app that talks
// to servers. It is driven by JSON-RPC 2.0 on its standard input and output, one
// object a line. Each of its accounts is one device of a user.
type core struct {
	t    *testing.T
	in   io.WriteCloser
	dead chan struct{} // closed when the core has closed its output

	mu      sync.Mutex
	last    int // the id of the last request
	waiting map[int]chan<- coreReply
	events  map[int][]coreEvent // by account, what was told and not yet taken
	diary   []string            // what went through the core's log
	news    chan struct{}       // closed, and replaced, when events grow
}

// coreReply is an answer of the core.
type coreReply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// coreEvent is something that the core tells by itself: the fields of its kinds
// in one, as no two kinds use a name in two senses.
type coreEvent struct {
	Kind     string `json:"kind"`
	ChatID   int    `json:"chatId"`
	MsgID    int    `json:"msgId"`
	Progress int    `json:"progress"`
	Msg      string `json:"msg"`
	Comment  string `json:"comment"`
}

// deltaChat finds the core: $RESTANTE_DELTACHAT, or the npm package in this folder.
func deltaChat(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("RESTANTE_DELTACHAT"); p != "" {
		return p
	}
	name := "@deltachat/stdio-rpc-server-linux-x64"
	if runtime.GOARCH == "arm64" {
		name = "@deltachat/stdio-rpc-server-linux-arm64"
	}
	p, err := filepath.Abs(filepath.Join("node_modules", name, "deltachat-rpc-server"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Fatalf("Delta Chat's core is needed: npm install --no-save --no-package-lock --prefix test/e2e %s@%s, or set RESTANTE_DELTACHAT to its deltachat-rpc-server",
			name, deltaChatVersion)
	}
	return p
}

// newCore starts a core without accounts for the length of the test.
func newCore(t *testing.T) *core {
	t.Helper()
	cmd := exec.Command(deltaChat(t))
	cmd.Env = append(os.Environ(), "DC_ACCOUNTS_PATH="+filepath.Join(t.TempDir(), "accounts"), "RUST_LOG=off")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &core{t: t, in: in, dead: make(chan struct{}), waiting: map[int]chan<- coreReply{}, events: map[int][]coreEvent{}, news: make(chan struct{})}
	listener := make(chan struct{})
	go c.read(out)
	go func() { defer close(listener); c.listen() }()
	t.Cleanup(func() {
		c.end(cmd)
		<-listener
	})
	return c
}

// end closes the core's input, on which it ends, and says what it logged if the
// test failed.
func (c *core) end(cmd *exec.Cmd) {
	c.in.Close()
	hung := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	<-c.dead
	if err := cmd.Wait(); err != nil {
		c.t.Errorf("Delta Chat's core: %v", err)
	}
	hung.Stop()
	if c.t.Failed() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, line := range c.diary[max(0, len(c.diary)-200):] {
			c.t.Log(line)
		}
	}
}

// read hands each answer to the call that waits for it, until the core closes
// its output.
func (c *core) read(out io.Reader) {
	defer close(c.dead)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var r coreReply
		if err := json.Unmarshal(line, &r); err != nil {
			c.note(fmt.Sprintf("not an answer: %s", line))
			continue
		}
		c.mu.Lock()
		w := c.waiting[r.ID]
		delete(c.waiting, r.ID)
		c.mu.Unlock()
		if w != nil {
			w <- r
		}
	}
}

// listen collects events until the core ends. The core keeps each request for
// events until there are some.
func (c *core) listen() {
	for {
		var batch []struct {
			ContextID int       `json:"contextId"`
			Event     coreEvent `json:"event"`
		}
		if err := c.try(&batch, nil, "get_next_event_batch"); err != nil {
			return
		}
		for _, e := range batch {
			c.tell(e.ContextID, e.Event)
		}
	}
}

// tell files an event: in the diary if it is a line of the log, else where await
// finds it.
func (c *core) tell(account int, e coreEvent) {
	switch e.Kind {
	case "Info", "Warning", "Error":
		c.note(fmt.Sprintf("%s device %d %s: %s", time.Now().Format("15:04:05.000"), account, e.Kind, e.Msg))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events[account] = append(c.events[account], e)
	close(c.news)
	c.news = make(chan struct{})
}

func (c *core) note(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.diary = append(c.diary, line)
}

var errCoreEnded = errors.New("the core has ended")

// try makes a call and puts its result into result, which may be nil. It waits
// until the core answers, ends, or late says so; a nil late never does.
func (c *core) try(result any, late <-chan time.Time, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	answer := make(chan coreReply, 1)
	if err := c.ask(answer, method, params); err != nil {
		return err
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			return errors.New(r.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(r.Result, result)
	case <-c.dead:
		return errCoreEnded
	case <-late:
		return fmt.Errorf("no answer within %v", patience)
	}
}

// ask writes a request, whose answer is to go to a channel with room for it.
func (c *core) ask(answer chan<- coreReply, method string, params []any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	request, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.last, "method": method, "params": params})
	if err != nil {
		return err
	}
	c.waiting[c.last] = answer
	_, err = c.in.Write(append(request, '\n'))
	return err
}

// call is try for a call that must succeed in good time.
func (c *core) call(result any, method string, params ...any) {
	c.t.Helper()
	if err := c.try(result, time.After(patience), method, params...); err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
}

// take removes the first event of an account that match, which must not call the
// core, accepts. If there is
// none yet, it returns a channel that is closed when there are more.
func (c *core) take(account int, match func(coreEvent) bool) (e coreEvent, ok bool, more <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := c.events[account]
	for i, e := range told {
		if match(e) {
			c.events[account] = append(told[:i:i], told[i+1:]...)
			return e, true, nil
		}
	}
	return coreEvent{}, false, c.news
}
