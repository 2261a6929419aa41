//go:build faults && linux

package faults

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

// locksmith is a relay on which an owner changes all that opens his account, over and
// over: password, device passwords, recovery code, and the keys themselves.
type locksmith struct {
	Dir      string
	Name     string // begins the passwords it sets
	Password string // that is good at the start
	Untrue   bool   // says that a password is set, and sets none
}

// runLocksmith works until it is killed, and prints what the owner would be shown.
func runLocksmith() error {
	var l locksmith
	if err := json.Unmarshal([]byte(os.Getenv(childVar)), &l); err != nil {
		return err
	}
	ctx := context.Background()
	w, err := openWorld(ctx, storeOptions(l.Dir))
	for n := 0; err == nil; n++ {
		err = l.turn(ctx, w, n)
	}
	return err
}

// turn changes each thing once.
func (l *locksmith) turn(ctx context.Context, w *world, n int) error {
	x, err := w.Login(ctx, mailbox.Login{User: owner.String(), Secret: l.Password})
	if err != nil {
		return err
	}
	next := fmt.Sprintf("%s %d", l.Name, n)
	fmt.Println("next", next)
	if !l.Untrue {
		_, err = w.SetPassword(ctx, x.Account(), l.Password, next)
		l.Password = next
	}
	if err != nil {
		return err
	}
	fmt.Println("password", next)
	if x, err = w.Login(ctx, mailbox.Login{User: owner.String(), Secret: l.Password}); err != nil {
		return err
	}
	if err := changeDevices(ctx, x, next); err != nil {
		return err
	}
	fmt.Println("renewing")
	code, err := x.NewRecoveryCode(ctx)
	if err != nil {
		return err
	}
	fmt.Println("recovery", code)
	if err := x.Rotate(ctx); err != nil {
		return err
	}
	fmt.Println("rotated")
	return follow(ctx, w, l.Password)
}

// changeDevices revokes the device of the last turn and adds one.
func changeDevices(ctx context.Context, x *mailbox.Session, label string) error {
	old, err := x.Devices(ctx)
	if err != nil {
		return err
	}
	for _, d := range old {
		fmt.Println("revoking")
		if err := x.RevokeDevice(ctx, d.ID); err != nil {
			return err
		}
		fmt.Println("revoked")
	}
	secret, err := x.AddDevice(ctx, label)
	if err == nil {
		fmt.Println("device", secret)
	}
	return err
}

// follow looks at all mail, so that its keys follow the new ones.
func follow(ctx context.Context, w *world, password string) error {
	x, err := w.Login(ctx, mailbox.Login{User: owner.String(), Secret: password})
	if err != nil {
		return err
	}
	defer x.Close()
	return x.Fetch(ctx, mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		_, err := idOf(i)
		return err
	})
}

// bunch is what the owner was shown: what is good, and what may be.
type bunch struct {
	password, next string
	devices        map[string]bool // good, or, if false, revoked
	last           string          // the device that was added last
	revoking       bool            // that it is revoked was not said yet
	recovery       string          // "" if a new one was made that nobody saw
	rotated        int
}

func (b *bunch) add(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "next":
		b.next = rest
	case "password":
		b.password, b.next = rest, ""
	case "device":
		b.devices[rest], b.last = true, rest
	case "revoking":
		b.revoking = true
	case "revoked":
		b.revoking = false
		if b.last != "" { // else it is from before the last fault
			b.devices[b.last] = false
		}
	case "renewing":
		b.recovery = ""
	case "recovery":
		b.recovery = rest
	case "rotated":
		b.rotated++
	}
}

// run lets the locksmith work until so many lines came, has strike strike, and kills it.
func (l *locksmith) run(t *testing.T, b *bunch, lines int, strike func()) {
	t.Helper()
	spec, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"="+roleLocksmith, childVar+"="+string(spec))
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for in := bufio.NewReader(out); ; n++ {
		line, err := in.ReadString('\n')
		if err != nil {
			break
		}
		b.add(strings.TrimSuffix(line, "\n"))
		if n == lines {
			pause(t.Context(), time.Duration(lines)*100*time.Microsecond) // into what comes next, further each time
			strike()
			_ = cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); n < lines {
		t.Fatalf("the locksmith ended by itself after %d lines: %v: %s", n, err, complaint.String())
	}
}

// lockedStore makes a store with an account and mail in it.
func lockedStore(t *testing.T, dir string) *bunch {
	t.Helper()
	w, err := openWorld(t.Context(), storeOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.CreateAccount(t.Context(), owner, mailbox.NewAccountOptions{Password: password})
	for n := 0; n < lockedMail && err == nil; n++ {
		err = w.deliverSurely(t.Context(), fmt.Sprintf("locked.%d@faults.invalid", n))
	}
	if err := errors.Join(err, w.close()); err != nil {
		t.Fatal(err)
	}
	return &bunch{password: c.Secret, recovery: c.Recovery, devices: map[string]bool{}}
}

const lockedMail = 24

// try opens the store as the next start would, and says what does not open that should,
// and what opens that should not. What was going on when it struck may have come to
// pass or not. At the end the owner has a password again that is known.
func (b *bunch) try(t *testing.T, dir, name string) (wrong []string) {
	t.Helper()
	o := storeOptions(dir)
	o.CheckOnClose = true
	w, err := openWorld(t.Context(), o)
	if err != nil {
		return []string{err.Error()}
	}
	login := func(secret string) (*mailbox.Session, error) {
		return w.Login(t.Context(), mailbox.Login{User: owner.String(), Secret: secret})
	}
	x, err := login(b.password)
	if err != nil && b.next != "" {
		b.password = b.next
		x, err = login(b.next)
	}
	if err != nil {
		return append(wrong, fmt.Sprintf("the owner is locked out: %v", err), fmt.Sprint(w.close()))
	}
	wrong = append(wrong, b.tryMail(t, x)...)
	for _, d := range slices.Sorted(maps.Keys(b.devices)) {
		_, err := login(d)
		if good := b.devices[d]; good != (err == nil) && !(d == b.last && b.revoking) {
			wrong = append(wrong, fmt.Sprintf("a device that is good: %v, logs in with: %v", good, err))
		}
	}
	if b.recovery != "" {
		b.password = name + " after the fault"
		if _, err := w.Recover(t.Context(), mailbox.Login{User: owner.String(), Secret: b.recovery}, b.password); err != nil {
			wrong = append(wrong, fmt.Sprintf("the recovery code: %v", err))
		}
	}
	b.next, b.revoking, b.devices, b.last = "", false, map[string]bool{}, ""
	if err := w.close(); err != nil {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

// tryMail looks for mail that doesn't open, or holds other bytes.
func (b *bunch) tryMail(t *testing.T, x *mailbox.Session) (wrong []string) {
	t.Helper()
	n := 0
	err := x.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		id, err := idOf(i)
		if err == nil && whole(t.Context(), i, id) {
			n++
		}
		return nil
	})
	if err != nil || n != lockedMail {
		wrong = append(wrong, fmt.Sprintf("%d of %d messages open: %v", n, lockedMail, err))
	}
	return wrong
}

// TestKillKeys: whatever of an account's passwords, codes and keys is being changed when
// the relay is killed, nobody is locked out, what was revoked stays revoked, and all
// mail opens.
func TestKillKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := lockedStore(t, dir)
	for lines := range 12 { // a turn has nine
		name := fmt.Sprint("kill ", lines)
		(&locksmith{Dir: dir, Name: name, Password: b.password}).run(t, b, 9+lines, func() {})
		if wrong := b.try(t, dir, name); wrong != nil {
			t.Fatalf("killed after line %d: %s", 9+lines, strings.Join(wrong, "; "))
		}
	}
	t.Logf("killed 12 times, %d changes of keys", b.rotated)
}

// TestPowerCutKeys: nor when the power fails.
func TestPowerCutKeys(t *testing.T) {
	d := newDisk(t, diskSize)
	b := lockedStore(t, d.dir)
	for lines := range 3 {
		name := fmt.Sprint("power ", lines)
		(&locksmith{Dir: d.dir, Name: name, Password: b.password}).run(t, b, 11+3*lines, func() { d.cutPower(t) })
		d.unmount(t)
		d.mount(t)
		if wrong := b.try(t, d.dir, name); wrong != nil {
			t.Fatalf("cut after line %d: %s", 11+3*lines, strings.Join(wrong, "; "))
		}
	}
}

// TestKillKeysControl: a relay that shows a password before it is set is found out.
func TestKillKeysControl(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := lockedStore(t, dir)
	(&locksmith{Dir: dir, Name: "control", Password: b.password, Untrue: true}).run(t, b, 9, func() {})
	if wrong := b.try(t, dir, "control"); !strings.Contains(strings.Join(wrong, "; "), "locked out") {
		t.Errorf("a password that was never set opens the account: this test can't find that an owner is locked out (%v)", wrong)
	}
}
