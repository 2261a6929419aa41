package web_test

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/web"
)

// autoconfig is what Thunderbird and Delta Chat read of the file.
type autoconfig struct {
	XMLName  xml.Name `xml:"clientConfig"`
	Version  string   `xml:"version,attr"`
	Provider struct {
		ID       string       `xml:"id,attr"`
		Domains  []string     `xml:"domain"`
		Name     string       `xml:"displayName"`
		Incoming []autoServer `xml:"incomingServer"`
		Outgoing []autoServer `xml:"outgoingServer"`
	} `xml:"emailProvider"`
}

type autoServer struct {
	Type           string `xml:"type,attr"`
	Hostname       string `xml:"hostname"`
	Port           int    `xml:"port"`
	SocketType     string `xml:"socketType"`
	Username       string `xml:"username"`
	Authentication string `xml:"authentication"`
}

func TestAutoconfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const paths = "/.well-known/autoconfig/mail/config-v1.1.xml /mail/config-v1.1.xml"
	for _, path := range strings.Fields(paths) {
		for _, query := range []string{"", "?emailaddress=joe@example.org", "?emailaddress=JOE%40EXAMPLE.ORG", "?emailaddress=%25EMAILADDRESS%25"} {
			a := w.do(t, "GET", path+query, "", "Host: autoconfig.example.org").want(t, http.StatusOK)
			if got := a.header.Get("Content-Type"); got != "text/xml; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			var got autoconfig
			if err := xml.Unmarshal([]byte(a.body), &got); err != nil {
				t.Fatal(err)
			}
			checkAutoconfig(t, got)
			if strings.Contains(strings.ToLower(a.body), "joe") {
				t.Error("the file holds the address that was asked for")
			}
		}
	}
	w.get(t, "/mail/config-v1.1.xml?emailaddress=joe@example.net").want(t, http.StatusNotFound)
	w.get(t, "/mail/config-v1.1.xml?emailaddress=%3Cscript%3E").want(t, http.StatusNotFound)
}

func checkAutoconfig(t *testing.T, got autoconfig) {
	t.Helper()
	const user, password, host = "%EMAILADDRESS%", "password-cleartext", "mail.example.org"
	want := []autoServer{{"imap", host, 993, "SSL", user, password}, {"imap", host, 143, "STARTTLS", user, password}}
	if diff := cmp.Diff(got.Provider.Incoming, want); diff != "" {
		t.Error(diff)
	}
	want = []autoServer{{"smtp", host, 465, "SSL", user, password}, {"smtp", host, 587, "STARTTLS", user, password}}
	if diff := cmp.Diff(got.Provider.Outgoing, want); diff != "" {
		t.Error(diff)
	}
	// Thunderbird takes a file without these for broken.
	if got.Version != "1.1" || got.Provider.ID != "example.org" || got.Provider.Name == "" ||
		!cmp.Equal(got.Provider.Domains, []string{"example.org"}) {
		t.Errorf("provider %+v", got)
	}
}

// autodiscover is what Delta Chat and Outlook read of the answer.
type autodiscover struct {
	XMLName  xml.Name `xml:"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006 Autodiscover"`
	Response struct {
		XMLName xml.Name
		Account struct {
			Type, Action string
			AccountType  string
			Protocol     []autoProtocol
		}
		Error struct {
			ErrorCode int
		}
	}
}

type autoProtocol struct {
	Type       string
	Server     string
	Port       int
	LoginName  string
	SSL        string
	Encryption string
}

const discoverRequest = `<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
<Request><EMailAddress>ADDRESS</EMailAddress>
<AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema>
</Request></Autodiscover>`

func TestAutodiscover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mobile := strings.Replace(discoverRequest, "outlook/responseschema/2006a", "mobilesync/responseschema/2006", 1)
	tests := []struct {
		name, method, body string
		login              string
		code               int // of the error
	}{
		{"as Delta Chat asks", "GET", "", "", 0},
		{"as Outlook asks", "POST", strings.Replace(discoverRequest, "ADDRESS", "Joe@example.org", 1), "Joe@example.org", 0},
		{"another domain", "POST", strings.Replace(discoverRequest, "ADDRESS", "joe@example.net", 1), "", 601},
		{"for another protocol", "POST", strings.Replace(mobile, "ADDRESS", "joe@example.org", 1), "", 601},
		{"no address", "POST", strings.Replace(discoverRequest, "ADDRESS", "", 1), "", 600},
		{"no XML", "POST", "address=joe@example.org", "", 600},
		{"markup in the address", "POST", strings.Replace(discoverRequest, "ADDRESS", "&lt;a&gt;@example.org", 1), "", 601},
		{"too large", "POST", strings.Replace(discoverRequest, "ADDRESS", strings.Repeat(" ", 9000)+"joe@example.org", 1), "", 600},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"} {
				a := w.do(t, tt.method, path, tt.body, "Content-Type: text/xml").want(t, http.StatusOK)
				var got autodiscover
				if err := xml.Unmarshal([]byte(a.body), &got); err != nil {
					t.Fatal(err)
				}
				checkDiscovered(t, got, tt.login, tt.code)
			}
		})
	}
	w.do(t, "PUT", "/autodiscover/autodiscover.xml", "").want(t, http.StatusMethodNotAllowed)
}

func checkDiscovered(t *testing.T, got autodiscover, login string, code int) {
	t.Helper()
	if got.Response.Error.ErrorCode != code {
		t.Errorf("error code %d, want %d", got.Response.Error.ErrorCode, code)
	}
	var want []autoProtocol
	if code == 0 {
		want = []autoProtocol{{"IMAP", "mail.example.org", 993, login, "on", "SSL"}, {"SMTP", "mail.example.org", 465, login, "on", "SSL"}}
		if space := got.Response.XMLName.Space; !strings.HasSuffix(space, "outlook/responseschema/2006a") || got.Response.Account.Action != "settings" {
			t.Errorf("Response is %s, action %q", space, got.Response.Account.Action)
		}
	}
	if diff := cmp.Diff(got.Response.Account.Protocol, want); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsWithoutTLSPorts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *options) { o.web.Ports = web.Ports{IMAP: 1143, Submission: 1587} })
	body := w.get(t, "/mail/config-v1.1.xml").body
	if strings.Contains(body, ">SSL<") || strings.Count(body, ">STARTTLS<") != 2 {
		t.Errorf("autoconfig names ports that are not there:\n%s", body)
	}
	if body := w.get(t, "/autodiscover/autodiscover.xml").body; strings.Count(body, "<Encryption>TLS<") != 2 {
		t.Errorf("autodiscover:\n%s", body)
	}
	if text := w.get(t, "/clients").text(); !strings.Contains(text, "Receiving (IMAP) mail.example.org 1143 STARTTLS") {
		t.Errorf("the page says\n%s", text)
	}
}
