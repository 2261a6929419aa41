package queue

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
)

// The report as it is written (RFC 8460, 4.4). No field has an address of a machine.
type (
	tlsReport struct {
		Organization string         `json:"organization-name"`
		Range        tlsRange       `json:"date-range"`
		Contact      string         `json:"contact-info"`
		ID           string         `json:"report-id"`
		Policies     []tlsPolicySum `json:"policies"`
	}
	tlsRange struct {
		Start time.Time `json:"start-datetime"`
		End   time.Time `json:"end-datetime"`
	}
	tlsPolicySum struct {
		Policy  tlsPolicyText   `json:"policy"`
		Summary tlsSummary      `json:"summary"`
		Details []tlsFailureSum `json:"failure-details,omitempty"`
	}
	tlsPolicyText struct {
		Type   string   `json:"policy-type"`
		Text   []string `json:"policy-string,omitempty"`
		Domain string   `json:"policy-domain"`
		MX     []string `json:"mx-host,omitempty"`
	}
	tlsSummary struct {
		Good int `json:"total-successful-session-count"`
		Bad  int `json:"total-failure-session-count"`
	}
	tlsFailureSum struct {
		Result string `json:"result-type"`
		Host   string `json:"receiving-mx-hostname,omitempty"`
		Count  int    `json:"failed-session-count"`
	}
)

// report makes the report on a day, in the name of a domain.
func (d *tlsDay) report(submitter string) *tlsReport {
	r := &tlsReport{
		Organization: submitter, Contact: "postmaster@" + submitter,
		Range: tlsRange{d.start, d.start.Add(24*time.Hour - time.Second)},
		ID:    d.start.Format("20060102") + "." + strings.ToLower(rand.Text()) + "@" + submitter,
	}
	for _, c := range d.counts {
		sum := tlsPolicySum{
			Policy:  tlsPolicyText{c.policy.kind, c.policy.text, d.domain, c.policy.mx},
			Summary: tlsSummary{Good: c.good},
		}
		for f, n := range c.bad {
			sum.Summary.Bad += n
			sum.Details = append(sum.Details, tlsFailureSum{f.result, f.host, n})
		}
		slices.SortFunc(sum.Details, func(a, b tlsFailureSum) int {
			return strings.Compare(a.Result+" "+a.Host, b.Result+" "+b.Host)
		})
		r.Policies = append(r.Policies, sum)
	}
	return r
}

// file returns the report as a compressed file, which is how it is sent.
func (r *tlsReport) file() ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(r); err != nil {
		return nil, err
	}
	err := z.Close()
	return b.Bytes(), err
}

// tlsReportType is the type of the compressed file (RFC 8460, 6.5).
const tlsReportType = "application/tlsrpt+gzip"

// mail returns the report as a mail (RFC 8460, 5.3). It asks to be delivered where TLS
// fails, since that may be what it tells (RFC 8689, 5).
func (r *tlsReport) mail(domain string, to addr.Address, now time.Time) ([]byte, error) {
	file, err := r.file()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range [][2]string{
		{"From", "<" + r.Contact + ">"},
		{"To", "<" + to.String() + ">"},
		{"Date", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000")},
		{"Subject", "Report Domain: " + domain + "\r\n Submitter: " + r.Organization + "\r\n Report-ID: <" + r.ID + ">"},
		{"Message-ID", "<" + r.ID + ">"},
		{"TLS-Report-Domain", domain},
		{"TLS-Report-Submitter", r.Organization},
		{"TLS-Required", "No"},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "multipart/report; report-type=tlsrpt;\r\n boundary=\"" + w.Boundary() + "\""},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	b.WriteString("\r\n")
	words := "How TLS went between the mail servers of " + r.Organization + " and\r\n" + domain + " on " + r.Range.Start.Format("2 January 2006") + " (RFC 8460).\r\n"
	if err := writePart(w, "text/plain; charset=us-ascii", "", words); err != nil {
		return nil, err
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Type": {tlsReportType}, "Content-Transfer-Encoding": {"base64"},
		"Content-Disposition": {`attachment; filename="` + r.fileName(domain) + `"`},
	})
	if err != nil {
		return nil, err
	}
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(file)), 76) {
		fmt.Fprintf(part, "%s\r\n", line) // into a buffer
	}
	err = w.Close()
	b.WriteString("\r\n")
	return b.Bytes(), err
}

// fileName tells who reports to whom about when (RFC 8460, 5.1).
func (r *tlsReport) fileName(domain string) string {
	return fmt.Sprintf("%s!%s!%d!%d.json.gz", r.Organization, domain, r.Range.Start.Unix(), r.Range.End.Unix())
}
