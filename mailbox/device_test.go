package mailbox_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// device adds a device password and opens a session with it.
func (w *world) device(t *testing.T, x *mailbox.Session, c mailbox.Created, label string) (*mailbox.Session, string) {
	t.Helper()
	secret, err := x.AddDevice(t.Context(), label)
	if err != nil {
		t.Fatal(err)
	}
	c.Secret = secret
	return w.login(t, c), secret
}

func labels(t *testing.T, x *mailbox.Session) []mailbox.Device {
	t.Helper()
	list, err := x.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.deliver(t, message("for all devices", 0), "b@example.org")
	phone, _ := w.device(t, x, c, " phone ")
	laptop, secret := w.device(t, x, c, "La\u0301ptop")
	for _, d := range []*mailbox.Session{x, phone, laptop} {
		if got := texts(t, d, mailbox.Inbox); !strings.Contains(got[1], "for all devices") {
			t.Errorf("a device reads %v", got)
		}
	}
	today := mailbox.DayOf(w.clock.Now())
	want := []mailbox.Device{{Label: "phone", Created: today}, {Label: "L\u00e1ptop", Created: today}}
	list := labels(t, x)
	byLabel := cmpopts.SortSlices(func(a, b mailbox.Device) bool { return a.Label > b.Label })
	if diff := cmp.Diff(list, want, cmpopts.IgnoreFields(mailbox.Device{}, "ID"), byLabel); diff != "" {
		t.Error(diff)
	}
	for _, d := range list {
		if d.Label == "phone" {
			continue
		}
		if err := x.RevokeDevice(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
		if err := x.RevokeDevice(t.Context(), d.ID); !errors.Is(err, mailbox.ErrGone) {
			t.Errorf("revoked twice: %v, want ErrGone", err)
		}
	}
	<-laptop.Revoked()
	if _, err := w.Login(t.Context(), mailbox.Login{User: "b", Secret: secret}); !errors.Is(err, mailbox.ErrAuth) {
		t.Errorf("login of the revoked device: %v, want ErrAuth", err)
	}
	if _, err := phone.Folders(t.Context()); err != nil {
		t.Errorf("the other device: %v", err)
	}
}

func TestDeviceManagesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	phone, secret := w.device(t, x, c, "phone")
	again := w.login(t, mailbox.Created{Address: c.Address, Secret: secret})
	for _, d := range []*mailbox.Session{phone, again} {
		if d.Manages() {
			t.Error("a device password manages the account")
		}
		_, add := d.AddDevice(t.Context(), "another")
		_, list := d.Devices(t.Context())
		_, code := d.NewRecoveryCode(t.Context())
		revoke := d.RevokeDevice(t.Context(), labels(t, x)[0].ID)
		_, password := w.SetPassword(t.Context(), c.Account, secret, "a new password")
		_, recover := w.Recover(t.Context(), mailbox.Login{User: "b", Secret: secret}, "a new password")
		for i, err := range []error{add, list, code, revoke, password, recover} {
			if !errors.Is(err, mailbox.ErrAuth) {
				t.Errorf("action %d with a device password: %v, want ErrAuth", i, err)
			}
		}
	}
	if !x.Manages() {
		t.Error("the main secret does not manage the account")
	}
}

func TestDevicesOutliveThePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	phone, _ := w.device(t, x, c, "phone")
	password, err := w.SetPassword(t.Context(), c.Account, c.Secret, "a new password")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.AddDevice(t.Context(), "late"); !errors.Is(err, mailbox.ErrClosed) {
		t.Errorf("the session of the old password adds a device: %v, want ErrClosed", err)
	}
	if _, err := phone.Folders(t.Context()); err != nil {
		t.Error(err)
	}
	y := w.login(t, mailbox.Created{Address: c.Address, Secret: password})
	if got := labels(t, y); len(got) != 1 || got[0].Label != "phone" {
		t.Errorf("devices %v", got)
	}
}

// TestDeviceAfterPasswordElsewhere: another node's change of the password takes the
// right to add devices at once, not only when the session is looked at again.
func TestDeviceAfterPasswordElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	other := w.newService(t)
	defer other.Close()
	if _, err := other.SetPassword(t.Context(), c.Account, c.Secret, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := x.AddDevice(t.Context(), "late"); !errors.Is(err, mailbox.ErrGone) && !errors.Is(err, mailbox.ErrClosed) {
		t.Errorf("got %v, want ErrGone or ErrClosed", err)
	}
}

func TestDeviceLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	tests := []struct {
		name, label string
		want        error
	}{
		{"none", "", nil},
		{"longest", strings.Repeat("x", 64), nil},
		{"too long", strings.Repeat("x", 65), mailbox.ErrName},
		{"control character", "a\nb", mailbox.ErrName},
		{"not UTF-8", "\xff", mailbox.ErrName},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := x.AddDevice(t.Context(), tt.label); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestTooManyDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	for i := range mailbox.MaxDevices {
		if _, err := x.AddDevice(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := x.AddDevice(t.Context(), "one more"); !errors.Is(err, mailbox.ErrLimit) {
		t.Errorf("got %v, want ErrLimit", err)
	}
	if got := len(labels(t, x)); got != mailbox.MaxDevices {
		t.Errorf("%d devices", got)
	}
}

// TestDamagedLabel: whoever wrote over a label does not keep the owner from
// revoking the device.
func TestDamagedLabel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.device(t, x, c, "phone")
	rows, err := w.store.Credentials(t.Context(), c.Account)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Kind != mailbox.DeviceSecret {
			continue
		}
		r.Label[3] ^= 1
		if err := w.store.ReplaceCredentials(t.Context(), c.Account, []mailbox.CredentialID{r.ID}, []mailbox.Credential{r}, nil); err != nil {
			t.Fatal(err)
		}
	}
	list := labels(t, x)
	if len(list) != 1 || list[0].Label != "" {
		t.Fatalf("devices %v", list)
	}
	if err := x.RevokeDevice(t.Context(), list[0].ID); err != nil {
		t.Error(err)
	}
}

func TestNewRecoveryCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	code, err := x.NewRecoveryCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Folders(t.Context()); err != nil {
		t.Errorf("the session that did it: %v", err)
	}
	if _, err := w.Recover(t.Context(), mailbox.Login{User: "b", Secret: c.Recovery}, ""); !errors.Is(err, mailbox.ErrAuth) {
		t.Errorf("the old code: %v, want ErrAuth", err)
	}
	if _, err := w.Recover(t.Context(), mailbox.Login{User: "b", Secret: code}, ""); err != nil {
		t.Errorf("the new code: %v", err)
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	phone, _ := w.device(t, x, c, "phone")
	w.deliver(t, message("kept", 0), "b@example.org")
	disabled := w.account(t, "off@example.org")
	if err := w.SetState(t.Context(), disabled.Account, mailbox.Disabled); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, user, code, password string
		want                       error
	}{
		{"unknown address", "nobody", c.Recovery, "", mailbox.ErrAuth},
		{"main secret", "b", c.Secret, "", mailbox.ErrAuth},
		{"a guess", "b", "guess", "", mailbox.ErrAuth},
		{"code of another account", "b", disabled.Recovery, "", mailbox.ErrAuth},
		{"disabled", "off", disabled.Recovery, "", mailbox.ErrDisabled},
		{"password like a secret", "b", c.Recovery, c.Secret, mailbox.ErrName},
	}
	for _, tt := range tests {
		if _, err := w.Recover(t.Context(), mailbox.Login{User: tt.user, Secret: tt.code}, tt.password); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	secret, err := w.Recover(t.Context(), mailbox.Login{User: "B@example.org", Secret: strings.ToUpper(c.Recovery)}, "")
	if err != nil {
		t.Fatal(err)
	}
	<-x.Revoked()
	if _, err := phone.Folders(t.Context()); err != nil {
		t.Errorf("the device: %v", err)
	}
	y := w.login(t, mailbox.Created{Address: addr.MustParse("b@example.org"), Secret: secret})
	if got := texts(t, y, mailbox.Inbox); !strings.Contains(got[1], "kept") {
		t.Errorf("after the recovery, mail reads %v", got)
	}
}

func TestRecoverIsThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account(t, "b@example.org")
	for range 4 {
		if _, err := w.Recover(t.Context(), mailbox.Login{User: "b", Secret: "guess"}, ""); !errors.Is(err, mailbox.ErrAuth) {
			t.Fatal(err)
		}
	}
	if got := w.clock.waited(); len(got) != 1 {
		t.Errorf("waited %v, want once", got)
	}
}
