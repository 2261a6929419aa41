package mta

import (
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// TestRemoteIsSigned: what goes into the queue is the message as it is kept here,
// with signatures before it that another implementation finds good.
func TestRemoteIsSigned(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	r := newRelay(t, func(o *Options) { o.Remote, o.Sign = true, keys.Sign })
	c, err := r.dial(t.Context(), "smtps")
	if err != nil {
		t.Fatal(err)
	}
	client := smtp.NewClient(c)
	defer client.Close()
	if err := client.Auth(sasl.NewPlainClient("", "anna", "secret of anna")); err != nil {
		t.Fatal(err)
	}
	text := "Received: from laptop\r\nFrom: <anna@HERE.example>\r\nSubject: hello  world \r\n\r\nhello world\r\n"
	err = client.SendMail("anna@here.example", []string{"bert@here.example", "zoe@there.example"}, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	here, err := r.inbox(t.Context(), "bert")
	if err != nil || len(here) != 1 {
		t.Fatalf("bert has %d messages, %v", len(here), err)
	}
	l, away := r.onlyLetter(t)
	want := []mailbox.Addressee{{Address: addr.MustParse("zoe@there.example")}}
	if d := cmp.Diff(want, l.To, cmp.AllowUnexported(addr.Address{})); d != "" {
		t.Errorf("recipients (-want +got):\n%s", d)
	}
	signature, rest, ok := strings.Cut(away, string(here[0]))
	if !ok || rest != "" || !strings.HasPrefix(signature, "DKIM-Signature: ") {
		t.Errorf("what goes away is not what is here behind a signature:\n%s", away)
	}
	if strings.Contains(away, "laptop") {
		t.Error("the client's name goes away with the message")
	}
	checkSignatures(t, keys, "queued", away, 2, true)
}

// onlyLetter returns the one letter in the queue, and its message.
func (r *relay) onlyLetter(t *testing.T) (*mailbox.Letter, string) {
	t.Helper()
	var all []*mailbox.Letter
	o := r.service.Outbox()
	err := o.Each(t.Context(), func(l *mailbox.Letter) error {
		all = append(all, l)
		return nil
	})
	if err != nil || len(all) != 1 {
		t.Fatalf("got %d letters and %v, want 1", len(all), err)
	}
	message, err := o.Open(t.Context(), all[0])
	if err != nil {
		t.Fatal(err)
	}
	defer message.Close()
	text, err := io.ReadAll(message)
	if err != nil {
		t.Fatal(err)
	}
	return all[0], string(text)
}

// TestWishesAreKept: what is asked of the next server is there when it is reached,
// encoded anew.
func TestWishesAreKept(t *testing.T) {
	t.Parallel()
	got := addressee(addr.MustParse("zoe@there.example"), &smtp.RcptOptions{
		Notify:                []smtp.DSNNotify{smtp.DSNNotifySuccess, smtp.DSNNotifyDelayed},
		OriginalRecipientType: smtp.DSNAddressTypeRFC822, OriginalRecipient: "zoe+x=y@there.example",
	})
	want := mailbox.Addressee{Address: addr.MustParse("zoe@there.example"), Notify: "SUCCESS,DELAY", Original: "rfc822;zoe+2Bx+3Dy@there.example"}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(addr.Address{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for text, want := range map[string]string{
		"plain": "plain", "a b": "a+20b", "a\r\nRCPT TO:<x>": "", "\x00": "", "ä": "", "": "", strings.Repeat("=", 200): "",
	} {
		if got := xtext(text); got != want {
			t.Errorf("xtext(%q): got %q, want %q", text, got, want)
		}
	}
}
