//go:build faults && linux

package faults

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/sqlstore"
)

// child is a relay that takes in mail until something happens to it.
type child struct {
	Dir      string
	Name     string // begins the ids of its messages
	Careless sqlstore.TestOnlyCareless
	Hasty    bool // acknowledges before it delivers
}

const (
	childVar = "RESTANTE_FAULTS_CHILD"
	senders  = 16
)

// runChild delivers from many senders, while a client watches and changes the
// mailbox. What a peer would have been told is printed as it happens.
func runChild() error {
	var c child
	if err := json.Unmarshal([]byte(os.Getenv(childVar)), &c); err != nil {
		return err
	}
	ctx := context.Background()
	w, err := openWorld(ctx, storeOptions(c.Dir).TestOnlyCareless(c.Careless))
	if err != nil {
		return err
	}
	x, err := w.login(ctx)
	if err != nil {
		return err
	}
	failed := make(chan error)
	var n atomic.Int64
	for range senders {
		go func() {
			for {
				if err := c.send(ctx, w, fmt.Sprintf("%s.%d@faults.invalid", c.Name, n.Add(1))); err != nil {
					failed <- err
				}
			}
		}()
	}
	go func() { failed <- watch(ctx, x) }()
	return <-failed
}

func (c *child) send(ctx context.Context, w *world, id string) error {
	fmt.Println("tried", id)
	if c.Hasty {
		fmt.Println("acked", id)
	}
	err := w.deliverSurely(ctx, id)
	if err == nil && !c.Hasty {
		fmt.Println("acked", id)
	}
	return err
}

// watch is a mail client: it lists what comes, flags some messages and deletes
// others.
func watch(ctx context.Context, x *mailbox.Session) error {
	last := mailbox.ModSeq(0)
	next := mailbox.UID(1)
	for {
		c, err := x.Changes(ctx, mailbox.Inbox, last)
		if err != nil {
			return err
		}
		last = c.Mailbox.HighestModSeq
		for _, r := range c.Rows {
			if r.UID < next {
				continue
			}
			next = r.UID + 1
			if err := meet(ctx, x, r); err != nil {
				return err
			}
		}
		pause(ctx, 2*time.Millisecond)
	}
}

// meet reads one new message, and does with it what its UID says.
func meet(ctx context.Context, x *mailbox.Session, r mailbox.Row) error {
	set := []mailbox.UIDRange{{Low: r.UID, High: r.UID}}
	err := x.Fetch(ctx, mailbox.Inbox, set, func(i *mailbox.Item) error {
		id, err := idOf(i)
		if err == nil {
			fmt.Println("seen", r.UID, r.ModSeq, id)
		}
		return err
	})
	if err != nil {
		return err
	}
	switch r.UID % 10 {
	case 3:
		_, err = x.StoreFlags(ctx, mailbox.Inbox, mailbox.FlagChange{Set: set, Mode: mailbox.AddFlags, Flags: mailbox.Flagged})
		if err == nil {
			fmt.Println("flagged", r.UID)
		}
	case 7:
		fmt.Println("going", r.UID)
		if _, err = x.Expunge(ctx, mailbox.Inbox, set, true); err == nil {
			fmt.Println("gone", r.UID)
		}
	}
	return err
}

// diary is what a child printed: what peers were told, and may rely on.
type diary struct {
	tried, acked []string
	seen         map[mailbox.UID]string
	flagged      []mailbox.UID
	going, gone  map[mailbox.UID]bool
	lastUID      mailbox.UID
	lastModSeq   mailbox.ModSeq
}

func newDiary() *diary {
	return &diary{seen: map[mailbox.UID]string{}, going: map[mailbox.UID]bool{}, gone: map[mailbox.UID]bool{}}
}

// add takes in one line. A line that was cut off is none.
func (d *diary) add(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	var uid mailbox.UID
	var modseq mailbox.ModSeq
	var id string
	var err error
	switch word {
	case "tried":
		d.tried = append(d.tried, rest)
	case "acked":
		d.acked = append(d.acked, rest)
	case "seen":
		_, err = fmt.Sscan(rest, &uid, &modseq, &id)
		d.seen[uid], d.lastUID, d.lastModSeq = id, max(d.lastUID, uid), max(d.lastModSeq, modseq)
	case "flagged":
		_, err = fmt.Sscan(rest, &uid)
		d.flagged = append(d.flagged, uid)
	case "going":
		_, err = fmt.Sscan(rest, &uid)
		d.going[uid] = true
	case "gone":
		_, err = fmt.Sscan(rest, &uid)
		d.gone[uid] = true
	default:
		err = errors.New("unknown line " + line)
	}
	return err
}

// run lets a child work until so many messages were acknowledged, has strike
// strike, kills it, and adds what it printed to the diary.
func (c *child) run(t *testing.T, d *diary, messages int, strike func()) {
	t.Helper()
	spec, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"="+roleChild, childVar+"="+string(spec))
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	before := len(d.acked)
	struck := false
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what the last line had to say was not said
		}
		if err := d.add(strings.TrimSuffix(line, "\n")); err != nil {
			t.Fatal(err)
		}
		if !struck && len(d.acked)-before >= messages {
			struck = true
			strike()
			_ = cmd.Process.Kill() // it may have ended because of the strike
		}
	}
	if err := cmd.Wait(); !struck {
		t.Fatalf("the child ended by itself after %d messages: %v: %s", len(d.acked)-before, err, complaint.String())
	}
}
