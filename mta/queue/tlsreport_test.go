package queue

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/restante/restante/internal/addr"
)

const tlsReadersOf = "_smtp._tls.there.example. TXT "

// reporting makes a worker that reports on TLS, and signs.
func reporting(o *Options) {
	o.TLSReports = true
	o.Sign = func(io.Reader) ([]byte, error) { return []byte("X-Signature: yes\r\n"), nil }
}

// startReporting begins to work on the queue; the world's router counts for it.
func (h *house) startReporting(t *testing.T, change ...func(*Options)) *Worker {
	t.Helper()
	w, _ := h.start(t, append([]func(*Options){reporting}, change...)...)
	return w
}

// nextMorning is when all reports of the day are due.
func (h *house) nextMorning() { h.advance(24*time.Hour + reportSpread) }

// openReport reads a report out of a mail.
func openReport(t *testing.T, text string) (*mail.Message, *tlsReport) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || params["report-type"] != "tlsrpt" {
		t.Fatalf("got type %q, %v", m.Header.Get("Content-Type"), err)
	}
	in := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := in.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if part.Header.Get("Content-Type") != tlsReportType {
			continue
		}
		_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil || !strings.HasPrefix(params["filename"], "here.example!there.example!") {
			t.Errorf("the file is called %q, %v", params["filename"], err)
		}
		return m, readReport(t, base64.NewDecoder(base64.StdEncoding, part))
	}
}

func readReport(t *testing.T, file io.Reader) *tlsReport {
	t.Helper()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range []string{"bert", "anna", "192.0.2", "127.0.0", "mail.here"} {
		if strings.Contains(string(text), mark) {
			t.Errorf("the report has %q in it:\n%s", mark, text)
		}
	}
	r := new(tlsReport)
	if err := json.Unmarshal(text, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTLSReport: the day after, whoever asked for it hears how often TLS came about, in
// a signed mail from the null sender, once.
func TestTLSReport(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.zone.add(t, tlsReadersOf+`"v=TLSRPTv1; rua=mailto:tls@there.example"`)
	w := h.startReporting(t)
	h.send(t, letter("one"), "bert@there.example")
	until(t, "it is there", func() bool { return len(h.sink.got()) == 1 })
	w.postTLSReports(t.Context())
	if n := len(h.sink.got()); n != 1 {
		t.Fatalf("there is a report on a day that is not over: %d mails", n)
	}
	h.nextMorning()
	w.postTLSReports(t.Context())
	w.postTLSReports(t.Context())
	mails := h.sink.got()
	if len(mails) != 2 {
		t.Fatalf("got %d mails, want a letter and one report", len(mails))
	}
	m, got := openReport(t, mails[1].Body)
	if mails[1].From != "" || m.Header.Get("X-Signature") != "yes" || m.Header.Get("TLS-Report-Domain") != "there.example" ||
		m.Header.Get("TLS-Report-Submitter") != "here.example" || !strings.Contains(m.Header.Get("Subject"), "Report-ID: <"+got.ID+">") {
		t.Errorf("got from %q, header %v", mails[1].From, m.Header)
	}
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	want := &tlsReport{
		Organization: "here.example", Contact: "postmaster@here.example", ID: got.ID, Range: tlsRange{day, day.Add(24*time.Hour - time.Second)},
		Policies: []tlsPolicySum{{Policy: tlsPolicyText{Type: policyNone, Domain: "there.example"}, Summary: tlsSummary{Good: 1}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestTLSReportOfFailure: a server whose certificate is for another name, and a policy
// that says who else it should be, are told apart; the report comes through where no
// letter does.
func TestTLSReportOfFailure(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.zone.change(func() { delete(h.zone.records, "there.example.") })
	h.zone.add(t, "there.example. MX 10 else.there.example.", "else.there.example. A 192.0.2.1",
		tlsReadersOf+`"v=TLSRPTv1; rua=mailto:tls@there.example"`)
	w := h.startReporting(t)
	h.send(t, letter("one"), "bert@there.example")
	until(t, "it was tried", func() bool { q := h.queued(t); return len(q) == 1 && q[0].Attempts == 1 })
	h.nextMorning()
	w.postTLSReports(t.Context())
	mails := h.sink.got()
	if len(mails) != 1 {
		t.Fatalf("got %d mails, want the report", len(mails))
	}
	_, got := openReport(t, mails[0].Body)
	want := []tlsPolicySum{{
		Policy: tlsPolicyText{Type: policyNone, Domain: "there.example"}, Summary: tlsSummary{Bad: 1},
		Details: []tlsFailureSum{{"certificate-host-mismatch", "else.there.example", 1}},
	}}
	if d := cmp.Diff(want, got.Policies); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestTLSReportByHTTPS: a reader that is not there for an hour gets it then; one that
// stays away is given up after a day.
func TestTLSReportByHTTPS(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var refuse atomic.Bool
	got := make(chan *tlsReport, 10)
	reader := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if refuse.Load() {
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		if req.Header.Get("Content-Type") != tlsReportType {
			t.Errorf("got type %q", req.Header.Get("Content-Type"))
		}
		got <- readReport(t, req.Body)
	}))
	reader.TLS, _ = certificate(t)
	reader.StartTLS()
	t.Cleanup(reader.Close)
	host := &policyHost{Server: reader}
	h.world.sts = newPolicies(h.resolver, host.transport(t), h.now)
	h.zone.add(t, tlsReadersOf+`"v=TLSRPTv1; rua=https://mx.there.example/reports"`)
	refuse.Store(true)
	w := h.startReporting(t)
	h.send(t, letter("one"), "bert@there.example")
	until(t, "it is there", func() bool { return len(h.sink.got()) == 1 })
	h.nextMorning()
	w.postTLSReports(t.Context())
	refuse.Store(false)
	w.postTLSReports(t.Context())
	if len(got) != 0 {
		t.Error("it is tried again at once")
	}
	h.advance(time.Hour)
	w.postTLSReports(t.Context())
	if len(got) != 1 {
		t.Fatalf("got %d reports after an hour, want 1", len(got))
	}
	refuse.Store(true)
	h.send(t, letter("two"), "bert@there.example")
	until(t, "it is there", func() bool { return len(h.sink.got()) == 2 })
	w.router.tally.note("there.example", "mx.there.example", tlsPolicy{kind: policyNone}, nil)
	h.nextMorning()
	for range 30 {
		w.postTLSReports(t.Context())
		h.advance(time.Hour)
	}
	if n := len(w.router.tally.days); n != 0 {
		t.Errorf("%d reports still wait after more than a day", n)
	}
}

// TestNoTLSReport: where nobody asks, and where it is switched off, nothing is sent.
func TestNoTLSReport(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.startReporting(t)
	h.send(t, letter("one"), "bert@there.example")
	until(t, "it is there", func() bool { return len(h.sink.got()) == 1 })
	h.nextMorning()
	w.postTLSReports(t.Context())
	if n := len(h.sink.got()); n != 1 || len(w.router.tally.days) != 0 {
		t.Errorf("got %d mails, %d days left", n, len(w.router.tally.days))
	}
	if off, _ := h.start(t); off.router.tally != nil {
		t.Error("a worker counts although nobody has said so")
	}
}

// TestTLSTally: what is counted, under which policy and name.
func TestTLSTally(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		policy string // MTA-STS
		level  TLSLevel
		change func(*smtp.Server)
		host   string
		want   string
	}{
		{name: "enforced", policy: goodPolicy, host: "mx.there.example", want: "sts 1 0"},
		{name: "not in the policy", policy: goodPolicy, host: "else.there.example", want: "sts 0 1 validation-failure"},
		{name: "testing, wrong name", policy: strings.ReplaceAll(strings.Replace(goodPolicy, "enforce", "testing", 1), "mx.there", "else.there"),
			level: TLSEncrypted, host: "else.there.example", want: "sts 0 1 certificate-host-mismatch"},
		{name: "policy none", policy: "version: STSv1\nmode: none\nmax_age: 60\n", host: "mx.there.example", want: "no-policy-found 1 0"},
		{name: "policy of no sense", policy: "no", host: "mx.there.example", want: "sts 0 1 sts-policy-invalid, no-policy-found 1 0"},
		{name: "no TLS", level: TLSOpportunistic, change: func(s *smtp.Server) { s.TLSConfig = nil }, host: "mx.there.example",
			want: "no-policy-found 0 1 starttls-not-supported"},
		{name: "nobody there", change: func(s *smtp.Server) {}, host: "gone.there.example", want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			records := []string{"there.example. MX 10 " + c.host + ".", "mx.there.example. A 192.0.2.1", "else.there.example. A 192.0.2.1", "gone.there.example. A 192.0.2.9"}
			if c.policy != "" {
				records = append(records, `_mta-sts.there.example. TXT "v=STSv1; id=1"`)
			}
			w := newWorld(t, false, records...)
			w.level, w.tally = c.level, &tlsTally{now: time.Now}
			w.sts = newPolicies(w.resolver, newPolicyHost(t, c.policy).transport(t), time.Now)
			w.sts.tally = w.tally
			if c.change == nil {
				c.change = func(*smtp.Server) {}
			}
			w.network.servers["192.0.2.1:25"] = newSink(t, c.change).address
			_, _ = w.try(t, there()) // what is counted is looked at
			var got []string
			for _, day := range w.tally.days {
				for _, p := range day.report("here.example").Policies {
					text := fmt.Sprintf("%s %d %d", p.Policy.Type, p.Summary.Good, p.Summary.Bad)
					for _, d := range p.Details {
						text += " " + d.Result
					}
					got = append(got, text)
				}
			}
			if got := strings.Join(got, ", "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestTLSPolicyOf: DANE goes before MTA-STS, and what can't be used is named too.
func TestTLSPolicyOf(t *testing.T) {
	t.Parallel()
	sts := &stsPolicy{stsTesting, []string{"mx.there.example"}, time.Hour}
	pins := []*dns.TLSA{{Usage: usageEE, Selector: selectKey, MatchingType: matchSHA256, Certificate: "AB"}}
	for _, c := range []struct {
		name   string
		policy *stsPolicy
		pins   []*dns.TLSA
		state  pinning
		want   tlsPolicy
	}{
		{"DANE", sts, pins, usablePins, tlsPolicy{policyDANE, []string{"3 1 1 ab"}, []string{"mx"}}},
		{"unusable", sts, nil, unusablePins, tlsPolicy{policyDANE, nil, []string{"mx"}}},
		{"STS", sts, nil, noPins, tlsPolicy{policySTS, []string{"version: STSv1", "mode: testing", "mx: mx.there.example", "max_age: 3600"}, sts.names}},
		{"none", nil, nil, noPins, tlsPolicy{kind: policyNone}},
	} {
		if got := policyOf("mx", c.policy, c.pins, c.state); !got.equal(c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	if got := tlsResult(errCertPin); got != "validation-failure" {
		t.Errorf("a certificate that fits no pin: got %q", got)
	}
}

// TestTLSTallyIsBounded: neither many domains nor many servers fill the memory.
func TestTLSTallyIsBounded(t *testing.T) {
	t.Parallel()
	tally := &tlsTally{now: time.Now}
	for i := range maxTLSDays + 100 {
		tally.note(fmt.Sprintf("d%d.example", i), "", tlsPolicy{kind: policyNone}, nil)
	}
	for i := range 2 * maxTLSFailures {
		tally.note("d1.example", fmt.Sprintf("mx%d.example", i), tlsPolicy{kind: policySTS, mx: []string{fmt.Sprint(i / maxTLSFailures)}}, errNoTLS)
		tally.note("d1.example", "", tlsPolicy{kind: policySTS, text: []string{fmt.Sprint(i)}}, nil)
	}
	if len(tally.days) != maxTLSDays {
		t.Errorf("got %d domains, want %d", len(tally.days), maxTLSDays)
	}
	for _, d := range tally.days {
		if len(d.counts) > maxTLSPolicies {
			t.Errorf("got %d policies of one domain", len(d.counts))
		}
		for _, c := range d.counts {
			if len(c.bad) > maxTLSFailures {
				t.Errorf("got %d kinds of failure", len(c.bad))
			}
		}
	}
	tally.note("x.onion", "", tlsPolicy{}, nil)
	(*tlsTally)(nil).note("d.example", "", tlsPolicy{}, nil)
}

func TestParseTLSReaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		texts []string
		want  []string
	}{
		{"mail", []string{"v=TLSRPTv1; rua=mailto:a@there.example"}, []string{"a@there.example"}},
		{"others beside it", []string{"v=spf1 -all", "v=TLSRPTv1;rua=mailto:a@there.example;"}, []string{"a@there.example"}},
		{"two records", []string{"v=TLSRPTv1; rua=mailto:a@there.example", "v=TLSRPTv1; rua=mailto:b@there.example"}, nil},
		{"both ways", []string{"v=TLSRPTv1; rua=mailto:a@there.example, https://r.example/x"}, []string{"a@there.example", "https://r.example/x"}},
		{"escaped", []string{"v=TLSRPTv1; rua=mailto:a%2Bb@there.example"}, []string{"a+b@there.example"}},
		{"without TLS", []string{"v=TLSRPTv1; rua=http://r.example/x"}, nil},
		{"with a password", []string{"v=TLSRPTv1; rua=https://u:p@r.example/x"}, nil},
		{"line end", []string{"v=TLSRPTv1; rua=mailto:a%0D%0Ab@there.example"}, nil},
		{"another version", []string{"v=TLSRPTv2; rua=mailto:a@there.example"}, nil},
		{"nobody", []string{"v=TLSRPTv1;"}, nil},
		{"too many", []string{"v=TLSRPTv1; rua=mailto:a@e.example,mailto:b@e.example,mailto:c@e.example,mailto:d@e.example"}, []string{"a@e.example", "b@e.example", "c@e.example"}},
	} {
		var got []string
		for _, r := range parseTLSReaders(c.texts) {
			got = append(got, r.url+r.mail.String())
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// FuzzParseTLSReaders: a reader is an address that stays the same, or an HTTPS one.
func FuzzParseTLSReaders(f *testing.F) {
	f.Add("v=TLSRPTv1; rua=mailto:a@there.example,https://r.example/x")
	f.Add("v=TLSRPTv1; rua=mailto:%22a%22@there.example?subject=x")
	f.Fuzz(func(t *testing.T, text string) {
		all := parseTLSReaders([]string{text})
		if len(all) > maxTLSReaders {
			t.Errorf("got %d", len(all))
		}
		for _, r := range all {
			if r.url == "" {
				again, err := addr.Parse(r.mail.String())
				if err != nil || again != r.mail || strings.ContainsAny(r.mail.String(), "\r\n\x00") {
					t.Errorf("got %q, %v", r.mail, err)
				}
			} else if !strings.HasPrefix(strings.ToLower(r.url), "https:") || !r.mail.IsZero() {
				t.Errorf("got %q", r.url)
			}
		}
	})
}
