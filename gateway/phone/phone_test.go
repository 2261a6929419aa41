package phone

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"howett.net/plist"
)

func testSettings(t *testing.T) Settings {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return Settings{
		Device: "Ann's <phone>", Address: "ann@relay.test", Name: "Ann & Co", Host: "192.168.1.5", IMAP: 1993, SMTP: 1465,
		Password: "r1-aaaa-bbbb", CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}
}

// TestProfile holds the profile to the keys and types that Apple documents (Device
// Management: TopLevel, CertificateRoot, Mail), every one of them by name.
func TestProfile(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	b, err := Profile(s)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(b), "<?xml") || !strings.Contains(string(b), "-//Apple") {
		t.Errorf("it is no XML property list:\n%s", b)
	}
	var got map[string]any
	if _, err := plist.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(s.CA)
	want := map[string]any{
		"PayloadDescription": "Mail of ann@relay.test by the Restante gateway at 192.168.1.5, for Ann's <phone>.",
		"PayloadDisplayName": "Restante: Ann's <phone>", "PayloadIdentifier": s.identifier("profile"), "PayloadOrganization": "Restante",
		"PayloadRemovalDisallowed": false, "PayloadType": "Configuration", "PayloadUUID": s.uuid("profile"), "PayloadVersion": uint64(1),
		"PayloadContent": []any{
			map[string]any{
				"PayloadType": "com.apple.security.root", "PayloadVersion": uint64(1), "PayloadDisplayName": "Authority of the gateway",
				"PayloadIdentifier": s.identifier("com.apple.security.root"), "PayloadUUID": s.uuid("com.apple.security.root"),
				"PayloadCertificateFileName": "restante.cer", "PayloadContent": block.Bytes,
			},
			map[string]any{
				"PayloadType": "com.apple.mail.managed", "PayloadVersion": uint64(1), "PayloadDisplayName": "Mail at the gateway",
				"PayloadIdentifier": s.identifier("com.apple.mail.managed"), "PayloadUUID": s.uuid("com.apple.mail.managed"),
				"EmailAccountDescription": "Restante", "EmailAccountName": "Ann & Co", "EmailAccountType": "EmailTypeIMAP", "EmailAddress": s.Address,
				"IncomingMailServerAuthentication": "EmailAuthPassword", "IncomingMailServerHostName": s.Host,
				"IncomingMailServerPortNumber": uint64(1993), "IncomingMailServerUseSSL": true,
				"IncomingMailServerUsername": s.Address, "IncomingPassword": s.Password,
				"OutgoingMailServerAuthentication": "EmailAuthPassword", "OutgoingMailServerHostName": s.Host,
				"OutgoingMailServerPortNumber": uint64(1465), "OutgoingMailServerUseSSL": true,
				"OutgoingMailServerUsername": s.Address, "OutgoingPassword": s.Password,
				"allowMailDrop": false, "disableMailRecentsSyncing": true, "PreventMove": true, "PreventAppSheet": false,
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	other := s
	other.Device = "tablet"
	if other.uuid("profile") == s.uuid("profile") {
		t.Error("the profiles of two devices replace each other")
	}
	s.CA = []byte("nonsense")
	if _, err := Profile(s); err == nil {
		t.Error("a profile without an authority was made")
	}
}

// TestThunderbirdCode compares with the format's own example of one account, with a
// password.
func TestThunderbirdCode(t *testing.T) {
	t.Parallel()
	got, err := ThunderbirdCode(testSettings(t))
	if err != nil {
		t.Fatal(err)
	}
	want := `[1,[1,1],[0,"192.168.1.5",1993,3,1,"ann@relay.test","Ann's <phone>","r1-aaaa-bbbb"],` +
		`[[[0,"192.168.1.5",1465,3,1,"ann@relay.test","r1-aaaa-bbbb"],["ann@relay.test","Ann & Co"]]]]`
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("code (-want +got):\n%s", diff)
	}
}

// TestAutoconfig: the file leads to both servers, and names nobody.
func TestAutoconfig(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	b, err := Autoconfig(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{s.Address, s.Password, s.Name, "Ann"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%q is in the file", secret)
		}
	}
	var got clientConfig
	if err := xml.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := configuredHost{"imap", s.Host, s.IMAP, "SSL", "%EMAILADDRESS%", "password-cleartext"}
	if diff := cmp.Diff(want, got.Provider.Incoming); diff != "" {
		t.Errorf("incoming (-want +got):\n%s", diff)
	}
	want.Type, want.Port = "smtp", s.SMTP
	if diff := cmp.Diff(want, got.Provider.Outgoing); diff != "" {
		t.Errorf("outgoing (-want +got):\n%s", diff)
	}
}
