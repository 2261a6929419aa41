//go:build e2e

package e2e

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
)

// TestDeltaChatSignUp has Delta Chat get its addresses in the two ways of chatmail
// relays: by POST /new, whose answer has a dclogin: link, and by a login under a free
// name, which Delta Chat makes on IMAP and SMTP when it has scanned dcaccount: with the
// name of a relay. Then both meet and talk.
//
// What Delta Chat fetches from /new by itself it fetches only from hosts with a public
// certificate, so that the test asks in its place.
func TestDeltaChatSignUp(t *testing.T) {
	t.Parallel()
	r := start(t, "--signup")
	v := r.visitor(t)
	v.post("/new")
	var given struct {
		Email, Password string
		Login           string `json:"dclogin_url"`
	}
	if err := json.Unmarshal([]byte(v.page), &given); err != nil {
		t.Fatal(err)
	}
	c := newCore(t)
	alice := c.blankDevice(account{Address: given.Email, Password: given.Password})
	link := strings.NewReplacer("ih="+r.Domain, "ih=127.0.0.1", "sh="+r.Domain, "sh=127.0.0.1").Replace(given.Login) // no DNS knows it
	alice.call(nil, "add_transport_from_qr", alice.id, link)
	alice.goOnline()

	bob := c.device(r, account{Address: "newcomer1@" + r.Domain, Password: rand.Text()})
	chat := bob.join(alice)
	bob.write(chat, "Dear Alice, I have just come.")
	alice.write(alice.receiveText("Dear Alice, I have just come.").ChatID, "So have I.")
	bob.receiveText("So have I.")
}
